# Denials add up, obligations follow the purpose, and a question without facts permits nothing.
package headwaters.main_test

import rego.v1

import data.headwaters.facts_test
import data.headwaters.main

test_all_denials_are_collected if {
	answer := main.answer with input as json.patch(facts_test.transfer, [
		{"op": "replace", "path": "/participant/status", "value": "suspended"},
		{"op": "replace", "path": "/agreement/state", "value": "ended"},
		{"op": "replace", "path": "/subscription/owed_receipts", "value": 2},
	])
	{denial.code | some denial in answer.denials} == {"consumer-not-active", "agreement-not-active", "receipt-owed"}
	answer.allow == false
}

test_an_empty_question_permits_nothing if {
	answer := main.answer with input as {}
	answer.allow == false
	answer.grounds == []
}

test_a_transfer_without_agreement_permits_nothing if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "remove", "path": "/agreement"}])
	answer.allow == false
}

test_not_shared_gives_its_basis if {
	answer := main.answer with input as json.patch(facts_test.application, [
		{"op": "replace", "path": "/dataset/sharing", "value": "not-shared"},
		{"op": "replace", "path": "/dataset/sharing_basis", "value": "State secret law art. 9"},
	])
	answer.denials == [{"code": "dataset-not-shared", "args": {"basis": "State secret law art. 9"}}]
}

test_fields_outside_the_purpose_are_redacted if {
	answer := main.answer with input as json.patch(facts_test.application, [
		{"op": "replace", "path": "/purpose", "value": "green-credit"},
		{"op": "add", "path": "/dataset/fields/0", "value": {"name": "wind", "classification": 1}},
	])
	answer.obligations == [
		{"kind": "redact", "fields": ["operator", "wind"]},
		{"kind": "purpose-binding", "purpose": "green-credit", "onward_sharing": false},
	]
}

test_a_purpose_without_entry_redacts_nothing if {
	answer := main.answer with input as facts_test.application
	answer.obligations == [{"kind": "purpose-binding", "purpose": "joint-warning", "onward_sharing": false}]
}

test_a_second_entry_never_widens_the_first if {
	answer := main.answer with input as json.patch(facts_test.application, [
		{"op": "replace", "path": "/purpose", "value": "green-credit"},
		{
			"op": "add",
			"path": "/dataset/purpose_fields/1",
			"value": {"purpose": "green-credit", "fields": ["station", "pm25", "operator"]},
		},
	])
	some duty in answer.obligations
	duty.fields == ["operator"]
}

test_a_permit_is_good_for_five_seconds_at_most if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/expires_ms", "value": 99999}])
	answer.valid_until_ms == 6000
}

test_a_permit_ends_with_the_agreement if {
	answer := main.answer with input as facts_test.transfer
	answer.valid_until_ms == 1001
}

test_a_suspended_consumer_has_no_ground if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/participant/status", "value": "suspended"}])
	answer.grounds == []
}

test_an_ended_agreement_is_no_ground if {
	answer := main.answer with input as json.patch(facts_test.transfer, [{"op": "replace", "path": "/agreement/state", "value": "ended"}])
	answer.grounds == []
}

test_an_entry_without_purpose_is_denied if {
	answer := main.answer with input as json.patch(facts_test.application, [
		{"op": "replace", "path": "/purpose", "value": "green-credit"},
		{"op": "remove", "path": "/dataset/purpose_fields/0/purpose"},
	])
	{denial.code | some denial in answer.denials} == {"facts-incomplete"}
	answer.grounds == []
}

test_an_entry_without_fields_is_denied if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "remove", "path": "/dataset/purpose_fields/0/fields"}])
	{denial.code | some denial in answer.denials} == {"facts-incomplete"}
}

test_no_entries_at_all_are_whole if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/dataset/purpose_fields", "value": []}])
	answer.allow == true
}

test_a_permit_ends_with_the_time_applied_for if facts_test.answer(facts_test.application, []).valid_until_ms == 2000

test_an_agreement_without_a_name_is_no_ground if {
	answer := facts_test.answer(facts_test.transfer, [{"op": "remove", "path": "/agreement/agreement"}])
	answer.allow == false
	answer.denials == []
}

# Rego compares across types: null is below every number, and text above.
test_a_moment_of_wrong_type_is_denied if {
	"agreement-expired" in facts_test.denied(facts_test.transfer, [facts_test.put("/now_ms", null)])
	"agreement-not-begun" in facts_test.denied(facts_test.transfer, [facts_test.put("/now_ms", "now")])
	facts_test.denied(facts_test.application, [facts_test.put("/now_ms", null)]) == {"application-time-past"}
}

test_an_entry_without_purpose_near_miss_is_permitted if {
	green := [facts_test.put("/purpose", "green-credit")]
	facts_test.permitted(facts_test.application, green)[0] == {"kind": "redact", "fields": ["operator"]}
}
