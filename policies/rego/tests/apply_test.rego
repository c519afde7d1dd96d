# Each denial of an apply: one question that meets it alone, and a near miss that is permitted.
package headwaters.apply_test

import rego.v1

import data.headwaters.facts_test
import data.headwaters.main

test_not_shared_is_denied if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/dataset/sharing", "value": "not-shared"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"dataset-not-shared"}
	answer.obligations == []
}

test_not_shared_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/dataset/sharing", "value": "unconditional"}])
	answer.allow == true
	answer.denials == []
}

test_purpose_off_the_list_is_denied if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/dataset/purposes", "value": ["green-credit"]}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"purpose-not-offered"}
	answer.obligations == []
}

test_purpose_off_the_list_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/dataset/purposes", "value": []}])
	answer.allow == true
	answer.denials == []
}

test_city_asks_for_class_3_is_denied if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/dataset/classification", "value": 3}, {"op": "replace", "path": "/participant/level", "value": "city"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"level-too-low"}
	answer.obligations == []
}

test_city_asks_for_class_3_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/dataset/classification", "value": 3}, {"op": "replace", "path": "/participant/level", "value": "national"}])
	answer.allow == true
	answer.denials == []
}

test_city_asks_for_class_2_is_denied if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/dataset/classification", "value": 4}, {"op": "replace", "path": "/participant/level", "value": "none"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"level-too-low", "core-not-named"}
	answer.obligations == []
}

test_city_asks_for_class_2_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/dataset/classification", "value": 2}, {"op": "replace", "path": "/participant/level", "value": "city"}])
	answer.allow == true
	answer.denials == []
}

test_class_3_with_the_purpose_named_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/dataset/classification", "value": 3}, {"op": "replace", "path": "/participant/level", "value": "none"}, {"op": "replace", "path": "/purpose", "value": "green-credit"}])
	answer.allow == true
	answer.denials == []
}

test_classification_of_wrong_type_is_denied if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/dataset/classification", "value": "1"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"level-too-low", "core-not-named"}
	answer.obligations == []
}

test_classification_of_wrong_type_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/dataset/classification", "value": 1}])
	answer.allow == true
	answer.denials == []
}

test_bank_without_fields_is_denied if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/participant/sector", "value": "finance"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"sector-not-named"}
	answer.obligations == []
}

test_bank_without_fields_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/participant/sector", "value": "finance"}, {"op": "replace", "path": "/purpose", "value": "green-credit"}])
	answer.allow == true
	answer.denials == []
}

test_nothing_visible_is_denied if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/purpose", "value": "green-credit"}, {"op": "replace", "path": "/dataset/purpose_fields/0/fields", "value": []}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"nothing-visible"}
	answer.obligations == []
}

test_nothing_visible_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/purpose", "value": "green-credit"}, {"op": "replace", "path": "/dataset/purpose_fields/0/fields", "value": ["pm25"]}])
	answer.allow == true
	answer.denials == []
}

test_time_applied_for_is_past_is_denied if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/application/until_ms", "value": 1000}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"application-time-past"}
	answer.obligations == []
}

test_time_applied_for_is_past_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/application/until_ms", "value": 1001}])
	answer.allow == true
	answer.denials == []
}

test_time_applied_for_is_text_is_denied if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/application/until_ms", "value": "9"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"application-time-past"}
	answer.obligations == []
}

test_time_applied_for_is_text_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/application/until_ms", "value": 9000}])
	answer.allow == true
	answer.denials == []
}

test_unknown_action_is_denied if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/action", "value": "delete"}])
	answer.allow == false
	{denial.code | some denial in answer.denials} == {"action-unknown"}
	answer.obligations == []
}

test_unknown_action_near_miss_is_permitted if {
	answer := main.answer with input as json.patch(facts_test.application, [{"op": "replace", "path": "/action", "value": "apply"}])
	answer.allow == true
	answer.denials == []
}
