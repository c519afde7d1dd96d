# Classes: the highest of what stays visible wins, and the administrative tree opens what is below it.
package headwaters.classes_test

import rego.v1

import data.headwaters.facts_test

class(value) := facts_test.put("/dataset/classification", value)

level(value) := facts_test.put("/participant/level", value)

field_class(value) := facts_test.put("/dataset/fields/2/classification", value)

territories(consumer, provider) := [
	facts_test.put("/participant/territory", consumer),
	facts_test.put("/dataset/provider_territory", provider),
]

green := facts_test.put("/purpose", "green-credit")

test_class_of_a_field_is_denied if {
	facts_test.denied(facts_test.application, [field_class(3), level("city")]) == {"level-too-low"}
}

test_class_of_a_field_near_miss_is_permitted if facts_test.permitted(facts_test.application, [field_class(2), level("city")])

test_class_of_a_field_is_quoted if {
	answered := facts_test.answer(facts_test.application, [field_class(3), level("city")])
	answered.denials == [{"code": "level-too-low", "args": {"classification": 3}}]
}

test_class_of_a_hidden_field_does_not_count if {
	facts_test.permitted(facts_test.application, [field_class(4), level("county"), green]) == [
		{"kind": "redact", "fields": ["operator"]},
		{"kind": "purpose-binding", "purpose": "green-credit", "onward_sharing": false},
	]
}

test_class_of_the_dataset_counts_over_its_fields if {
	facts_test.denied(facts_test.application, [class(3), level("city")]) == {"level-too-low"}
}

test_a_field_without_class_is_denied if {
	facts_test.denied(facts_test.application, [{"op": "remove", "path": "/dataset/fields/0/classification"}]) == {"facts-incomplete"}
	facts_test.denied(facts_test.application, [field_class(0)]) == {"facts-incomplete"}
}

test_two_fields_of_one_name_are_denied if {
	facts_test.denied(facts_test.application, [facts_test.put("/dataset/fields/2/name", "pm25")]) == {"facts-incomplete"}
}

test_a_dataset_without_class_is_denied if {
	facts_test.denied(facts_test.application, [{"op": "remove", "path": "/dataset/classification"}]) == {"level-too-low", "core-not-named"}
}

test_class_3_is_open_to_the_nation_and_provinces if {
	facts_test.permitted(facts_test.application, [class(3), level("national")])
	facts_test.permitted(facts_test.application, [class(3), level("province")])
}

test_class_3_beside_the_tree_is_denied if {
	changes := array.concat(territories("5102", "510107"), [class(3), level("city")])
	facts_test.denied(facts_test.application, changes) == {"level-too-low"}
}

test_class_3_beside_the_tree_near_miss_is_permitted if {
	changes := array.concat(territories("5101", "510107"), [class(3), level("city")])
	facts_test.permitted(facts_test.application, changes)
}

test_class_3_below_in_the_tree_is_denied if {
	changes := array.concat(territories("510107", "5101"), [class(3), level("county")])
	facts_test.denied(facts_test.application, changes) == {"level-too-low"}
}

test_class_3_in_the_same_place_is_permitted if {
	changes := array.concat(territories("510107", "510107"), [class(3), level("county")])
	facts_test.permitted(facts_test.application, changes)
}

test_class_3_without_a_level_is_denied_in_the_tree if {
	changes := array.concat(territories("5101", "510107"), [class(3), level("none")])
	facts_test.denied(facts_test.application, changes) == {"level-too-low"}
}

test_class_3_without_territory_is_denied if {
	none := array.concat(territories(null, "510107"), [class(3), level("city")])
	facts_test.denied(facts_test.application, none) == {"level-too-low"}
	unknown := array.concat(territories("5101", null), [class(3), level("city")])
	facts_test.denied(facts_test.application, unknown) == {"level-too-low"}
}

test_class_4_of_a_province_is_denied if {
	facts_test.denied(facts_test.application, [class(4)]) == {"core-not-named"}
}

test_class_4_of_a_province_near_miss_is_permitted if facts_test.permitted(facts_test.application, [class(3)])

test_class_4_is_open_to_the_nation if facts_test.permitted(facts_test.application, [class(4), level("national")])

test_class_4_with_the_purpose_named_is_permitted if {
	facts_test.permitted(facts_test.application, [class(4), level("county"), green])
}

test_class_4_above_in_the_tree_is_denied if {
	changes := array.concat(territories("5101", "510107"), [class(4), level("city")])
	facts_test.denied(facts_test.application, changes) == {"core-not-named"}
}

test_class_5_is_denied_to_everybody if {
	facts_test.denied(facts_test.application, [class(5), level("national")]) == {"level-too-low", "core-not-named"}
}

test_class_3_marks_the_data if {
	facts_test.permitted(facts_test.application, [class(3)])[0] == {"kind": "watermark", "recipient": "p-aaaaaaaaaaaa"}
}

test_class_2_does_not if {
	every_kind := {duty.kind | some duty in facts_test.permitted(facts_test.application, [class(2)])}
	every_kind == {"purpose-binding"}
}

test_quarantined_is_denied if {
	facts_test.denied(facts_test.transfer, [facts_test.put("/participant/status", "quarantined")]) == {"consumer-not-active"}
}

test_quarantined_is_quoted if {
	answered := facts_test.answer(facts_test.transfer, [facts_test.put("/participant/status", "quarantined")])
	answered.denials == [{"code": "consumer-not-active", "args": {"status": "quarantined"}}]
}

test_quarantined_provider_is_denied if {
	facts_test.denied(facts_test.transfer, [facts_test.put("/dataset/provider_status", "quarantined")]) == {"provider-not-active"}
}

test_onward_sharing_is_denied if {
	facts_test.denied(facts_test.transfer, [facts_test.put("/agreement/onward_sharing", true)]) == {"onward-sharing-forbidden"}
	facts_test.denied(facts_test.transfer, [{"op": "remove", "path": "/agreement/onward_sharing"}]) == {"onward-sharing-forbidden"}
}

test_onward_sharing_near_miss_is_permitted if {
	facts_test.permitted(facts_test.transfer, [facts_test.put("/agreement/onward_sharing", false)])
}

test_class_1_is_open_to_every_level if {
	public := [{"name": "station", "classification": 1}]
	facts_test.permitted(facts_test.application, [class(1), level("none"), facts_test.put("/dataset/fields", public)])
}

test_a_dataset_without_class_is_quoted_as_such if {
	answered := facts_test.answer(facts_test.application, [{"op": "remove", "path": "/dataset/classification"}])
	some denial in answered.denials
	denial == {"code": "level-too-low", "args": {"classification": 0}}
}
