# Each denial of a transfer: one question that meets it alone, and a near miss that is permitted.
package headwaters.transfer_test

import rego.v1

import data.headwaters.facts_test
import data.headwaters.main

test_consumer_suspended_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/participant/status", "value": "suspended"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"consumer-not-active"}
	answer.obligations == []
}

test_consumer_suspended_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/participant/status", "value": "active"}])
	answer.allow == true
	answer.denials == []
}

test_provider_suspended_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/dataset/provider_status", "value": "suspended"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"provider-not-active"}
	answer.obligations == []
}

test_provider_suspended_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/dataset/provider_status", "value": "active"}])
	answer.allow == true
	answer.denials == []
}

test_agreement_ended_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/state", "value": "ended"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"agreement-not-active"}
	answer.obligations == []
}

test_agreement_ended_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/state", "value": "active"}])
	answer.allow == true
	answer.denials == []
}

test_agreement_not_begun_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/not_before_ms", "value": 1001}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"agreement-not-begun"}
	answer.obligations == []
}

test_agreement_not_begun_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/not_before_ms", "value": 1000}])
	answer.allow == true
	answer.denials == []
}

test_agreement_begin_is_null_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/not_before_ms", "value": null}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"agreement-not-begun"}
	answer.obligations == []
}

test_agreement_begin_is_null_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/not_before_ms", "value": 0}])
	answer.allow == true
	answer.denials == []
}

test_agreement_expired_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/expires_ms", "value": 1000}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"agreement-expired"}
	answer.obligations == []
}

test_agreement_expired_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/expires_ms", "value": 1001}])
	answer.allow == true
	answer.denials == []
}

test_agreement_expiry_is_text_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/expires_ms", "value": "9999"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"agreement-expired"}
	answer.obligations == []
}

test_agreement_expiry_is_text_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/expires_ms", "value": 9999}])
	answer.allow == true
	answer.denials == []
}

test_agreement_of_another_consumer_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/consumer", "value": "p-dddddddddddd"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"agreement-other-consumer"}
	answer.obligations == []
}

test_agreement_of_another_consumer_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/consumer", "value": "p-aaaaaaaaaaaa"}])
	answer.allow == true
	answer.denials == []
}

test_agreement_of_another_provider_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/provider", "value": "p-dddddddddddd"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"agreement-other-provider"}
	answer.obligations == []
}

test_agreement_of_another_provider_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/provider", "value": "p-bbbbbbbbbbbb"}])
	answer.allow == true
	answer.denials == []
}

test_agreement_on_another_dataset_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/dataset", "value": "water-daily"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"agreement-other-dataset"}
	answer.obligations == []
}

test_agreement_on_another_dataset_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/dataset", "value": "air-hourly"}])
	answer.allow == true
	answer.denials == []
}

test_agreement_for_another_purpose_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/purpose", "value": "green-credit"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"agreement-other-purpose"}
	answer.obligations == []
}

test_agreement_for_another_purpose_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/purpose", "value": "joint-warning"}])
	answer.allow == true
	answer.denials == []
}

test_record_changed_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/record_digest_matches", "value": false}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"record-changed"}
	answer.obligations == []
}

test_record_changed_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/record_digest_matches", "value": true}])
	answer.allow == true
	answer.denials == []
}

test_record_match_is_text_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/record_digest_matches", "value": "true"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"record-changed"}
	answer.obligations == []
}

test_record_match_is_text_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/record_digest_matches", "value": true}])
	answer.allow == true
	answer.denials == []
}

test_subscription_paused_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/subscription/state", "value": "paused"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"subscription-not-active"}
	answer.obligations == []
}

test_subscription_paused_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/subscription/state", "value": "active"}])
	answer.allow == true
	answer.denials == []
}

test_receipt_owed_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/subscription/owed_receipts", "value": 1}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"receipt-owed"}
	answer.obligations == []
}

test_receipt_owed_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/subscription/owed_receipts", "value": 0}])
	answer.allow == true
	answer.denials == []
}

test_too_many_open_grants_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/subscription/open_grants", "value": 33}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"too-many-open-grants"}
	answer.obligations == []
}

test_too_many_open_grants_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/subscription/open_grants", "value": 32}])
	answer.allow == true
	answer.denials == []
}

test_open_grants_is_null_is_denied if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/subscription/open_grants", "value": null}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"too-many-open-grants"}
	answer.obligations == []
}

test_open_grants_is_null_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/subscription/open_grants", "value": 0}])
	answer.allow == true
	answer.denials == []
}
