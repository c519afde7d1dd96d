# One transfer under an agreement: the agreement must be this one, in force, and about this very record.
package headwaters.transfer

import rego.v1

default agreement_in_force := false

agreement_in_force if {
	agreement_active
	begun
	not_expired
	same_consumer
	same_provider
	same_dataset
	same_purpose
	same_record
}

deny contains {"code": "agreement-not-active", "args": {"state": agreement_state}} if not agreement_active

deny contains {"code": "agreement-not-begun", "args": {}} if not begun

deny contains {"code": "agreement-expired", "args": {}} if not not_expired

deny contains {"code": "agreement-other-consumer", "args": {}} if not same_consumer

deny contains {"code": "agreement-other-provider", "args": {}} if not same_provider

deny contains {"code": "agreement-other-dataset", "args": {}} if not same_dataset

deny contains {"code": "agreement-other-purpose", "args": {}} if not same_purpose

deny contains {"code": "record-changed", "args": {}} if not same_record

deny contains {"code": "subscription-not-active", "args": {"state": subscription_state}} if not subscription_active

deny contains {"code": "receipt-owed", "args": {"owed": owed}} if not receipts_settled

deny contains {"code": "too-many-open-grants", "args": {"open": open, "limit": grant_limit}} if not below_grant_limit

default agreement_active := false

agreement_active if input.agreement.state == "active"

default begun := false

begun if {
	is_number(input.now_ms)
	is_number(input.agreement.not_before_ms)
	input.agreement.not_before_ms <= input.now_ms
}

default not_expired := false

not_expired if {
	is_number(input.now_ms)
	is_number(input.agreement.expires_ms)
	input.now_ms < input.agreement.expires_ms
}

default same_consumer := false

same_consumer if input.agreement.consumer == input.participant.id

default same_provider := false

same_provider if input.agreement.provider == input.dataset.provider

default same_dataset := false

same_dataset if input.agreement.dataset == input.dataset.dataset

default same_purpose := false

same_purpose if input.agreement.purpose == input.purpose

# The agreement names the record it was signed over; a later record needs a later agreement.
default same_record := false

same_record if input.agreement.record_digest_matches == true

default subscription_active := false

subscription_active if input.subscription.state == "active"

default receipts_settled := false

receipts_settled if input.subscription.owed_receipts == 0

grant_limit := 32

default below_grant_limit := false

below_grant_limit if {
	is_number(input.subscription.open_grants)
	input.subscription.open_grants <= grant_limit
}

# Words for the reasons. Each has a default: a reason must not vanish because its argument is missing.
default agreement_state := "?"

agreement_state := input.agreement.state

default subscription_state := "?"

subscription_state := input.subscription.state

default owed := 0

owed := input.subscription.owed_receipts

default open := 0

open := input.subscription.open_grants
