# The one entry point: data.headwaters.main.answer. Denials override: all of them are collected, and one is
# enough. A permit also needs a positive ground, so that an empty list of denials alone permits nothing.
package headwaters.main

import rego.v1

import data.headwaters.access
import data.headwaters.apply
import data.headwaters.obligations
import data.headwaters.transfer

answer := {
	"allow": allow,
	"denials": sort(denials),
	"grounds": sort(grounds),
	"obligations": duties,
	"valid_until_ms": valid_until_ms,
}

default allow := false

allow if {
	count(denials) == 0
	count(grounds) > 0
}

denials contains denial if some denial in access.deny

denials contains denial if {
	input.action == "apply"
	some denial in apply.deny
}

denials contains denial if {
	input.action == "transfer"
	some denial in transfer.deny
}

denials contains {"code": "action-unknown", "args": {}} if not action_known

default action_known := false

action_known if input.action in {"apply", "transfer"}

grounds contains {"code": "may-apply", "args": {}} if {
	input.action == "apply"
	access.open
	apply.within_time
}

grounds contains {"code": "agreement-in-force", "args": {"agreement": input.agreement.agreement}} if {
	input.action == "transfer"
	access.open
	transfer.agreement_in_force
}

default duties := []

duties := obligations.duties if allow

# A decision is good for five seconds, and never beyond the agreement or the time applied for.
default valid_until_ms := 0

valid_until_ms := min({input.now_ms + 5000, input.application.until_ms}) if {
	allow
	input.action == "apply"
}

valid_until_ms := min({input.now_ms + 5000, input.agreement.expires_ms}) if {
	allow
	input.action == "transfer"
}
