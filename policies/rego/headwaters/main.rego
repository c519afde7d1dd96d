# The one entry point: data.headwaters.main.answer. Each room is a table of possible denials with what clears them,
# so what no rule speaks for is refused. All denials are told; one is enough.
package headwaters.main

import rego.v1

import data.headwaters.access
import data.headwaters.apply
import data.headwaters.conditions
import data.headwaters.duties
import data.headwaters.emergency
import data.headwaters.obligations
import data.headwaters.reasons
import data.headwaters.transfer

answer := {
	"allow": allow,
	"denials": denials,
	"grounds": grounds,
	"obligations": imposed,
	"valid_until_ms": valid_until_ms,
}

default allow := false

allow if {
	denied == set()
	count(grounds) > 0
}

denied := union({access.deny, conditions.deny, emergency.deny, of_duties, of_action})

of_duties := {code | input.dataset.duties != []; some code in duties.deny}

default of_action := {"action-unknown"}

of_action := apply.deny if input.action == "apply"

of_action := transfer.deny if input.action == "transfer"

denials := [{"code": code, "args": object.get(reasons.words, code, {})} | some code in sort(denied)]

# A permit also needs a ground of its own, so that an empty list of denials alone permits nothing.
grounds := [ground |
	denied == set()
	some grounds_of in [
		[{"code": "agreement-in-force", "args": {"agreement": input.agreement.agreement}} | input.action == "transfer"],
		[{"code": "may-apply", "args": {}} | input.action == "apply"],
		[{"code": "emergency-declared", "args": {"emergency": input.emergency.emergency}} | emergency.declared],
	]
	some ground in grounds_of
]

default imposed := []

imposed := obligations.list if allow

# A permit is good for five seconds, and never beyond the time applied for, the agreement or the emergency.
default valid_until_ms := 0

valid_until_ms := min([end |
	some ends in [
		[input.now_ms + 5000],
		[input.application.until_ms | input.action == "apply"],
		[input.agreement.expires_ms | input.action == "transfer"],
		[input.emergency.until_ms | emergency.declared],
	]
	some end in ends
]) if {
	allow
}
