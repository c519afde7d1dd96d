# One transfer under an agreement: the agreement must be this one, in force, and about this very record.
package headwaters.transfer

import rego.v1

deny := {code | some code, clearance in clears; clearance == []}

clears := {
	"agreement-not-active": [1 | input.agreement.state == "active"],
	"agreement-not-begun": [1 |
		is_number(input.now_ms)
		is_number(input.agreement.not_before_ms)
		input.agreement.not_before_ms <= input.now_ms
	],
	"agreement-expired": [1 |
		is_number(input.now_ms)
		is_number(input.agreement.expires_ms)
		input.now_ms < input.agreement.expires_ms
	],
	"agreement-other-consumer": [1 | input.agreement.consumer == input.participant.id],
	"agreement-other-provider": [1 | input.agreement.provider == input.dataset.provider],
	"agreement-other-dataset": [1 | input.agreement.dataset == input.dataset.dataset],
	"agreement-other-purpose": [1 | input.agreement.purpose == input.purpose],
	# The agreement names the record it was signed over; a later record needs a later agreement.
	"record-changed": [1 | input.agreement.record_digest_matches == true],
	"onward-sharing-forbidden": [1 | input.agreement.onward_sharing == false],
	"subscription-not-active": [1 | input.subscription.state == "active"],
	"receipt-owed": [1 | input.subscription.owed_receipts == 0],
	"too-many-open-grants": [1 |
		is_number(input.subscription.open_grants)
		input.subscription.open_grants <= grant_limit
	],
}

grant_limit := 32
