# Each limit that a condition can set: one question outside it, and near misses inside it.
package headwaters.conditions_test

import rego.v1

import data.headwaters.facts_test

transfer(limits, changes) := facts_test.denied(facts_test.transfer, array.concat(
	[facts_test.put("/dataset/conditions", [facts_test.condition(limits)])],
	changes,
))

transfers(limits, changes) if facts_test.permitted(facts_test.transfer, array.concat(
	[facts_test.put("/dataset/conditions", [facts_test.condition(limits)])],
	changes,
))

applies(limits, changes) if facts_test.permitted(facts_test.application, array.concat(
	[facts_test.put("/dataset/conditions", [facts_test.condition(limits)])],
	changes,
))

test_a_condition_without_limits_is_permitted if transfers({}, [])

test_territory_is_denied if transfer({"territories": ["50", "52"]}, []) == {"territory-not-allowed"}

test_territory_near_miss_is_permitted if transfers({"territories": ["50", "51"]}, [])

test_territory_below_is_permitted if transfers({"territories": ["51"]}, [facts_test.put("/participant/territory", "510107")])

test_territory_above_is_denied if transfer({"territories": ["5101"]}, []) == {"territory-not-allowed"}

test_no_territory_is_denied if {
	transfer({"territories": ["51"]}, [facts_test.put("/participant/territory", null)]) == {"territory-not-allowed"}
}

test_territory_is_asked_of_an_application if {
	changes := [facts_test.put("/dataset/conditions", [facts_test.condition({"territories": ["50"]})])]
	facts_test.denied(facts_test.application, changes) == {"territory-not-allowed"}
}

test_territory_is_quoted if {
	changes := [facts_test.put("/dataset/conditions", [facts_test.condition({"territories": ["50"]})])]
	answered := facts_test.answer(facts_test.transfer, changes)
	answered.denials == [{"code": "territory-not-allowed", "args": {"territory": "51"}}]
}

test_level_is_denied if transfer({"levels": ["national", "city"]}, []) == {"level-not-allowed"}

test_level_near_miss_is_permitted if transfers({"levels": ["national", "province"]}, [])

test_sector_is_denied if transfer({"sectors": ["finance"]}, []) == {"sector-not-allowed"}

test_sector_near_miss_is_permitted if transfers({"sectors": ["finance", "government"]}, [])

test_network_is_denied if transfer({"networks": ["10.52.0.0/16", "10.51.3.5/32"]}, []) == {"network-not-allowed"}

test_network_near_miss_is_permitted if transfers({"networks": ["10.52.0.0/16", "10.51.0.0/16"]}, [])

test_network_of_one_address_is_permitted if transfers({"networks": ["10.51.3.4/32"]}, [])

test_network_of_version_6_is_permitted if {
	transfers({"networks": ["2001:db8::/32"]}, [facts_test.put("/address", "2001:db8::7")])
}

test_network_of_the_other_version_is_denied if transfer({"networks": ["::/0"]}, []) == {"network-not-allowed"}

test_unknown_address_is_denied if {
	transfer({"networks": ["0.0.0.0/0"]}, [facts_test.put("/address", null)]) == {"network-not-allowed"}
}

test_unknown_address_near_miss_is_permitted if transfers({}, [facts_test.put("/address", null)])

test_unknown_address_is_quoted_as_such if {
	answered := facts_test.answer(facts_test.transfer, [
		facts_test.put("/dataset/conditions", [facts_test.condition({"networks": ["0.0.0.0/0"]})]),
		facts_test.put("/address", null),
	])
	answered.denials == [{"code": "network-not-allowed", "args": {"address": "?"}}]
}

test_weekday_is_denied if transfer({"weekdays": [3, 5]}, []) == {"weekday-not-allowed"}

test_weekday_near_miss_is_permitted if transfers({"weekdays": [3, 4]}, [])

test_hour_before_is_denied if transfer({"hours": {"begin": 9, "end": 17}}, []) == {"hour-not-allowed"}

test_hour_before_near_miss_is_permitted if transfers({"hours": {"begin": 8, "end": 17}}, [])

test_hour_after_is_denied if transfer({"hours": {"begin": 6, "end": 8}}, []) == {"hour-not-allowed"}

test_hour_after_near_miss_is_permitted if transfers({"hours": {"begin": 6, "end": 9}}, [])

test_hour_past_midnight_is_denied if transfer({"hours": {"begin": 22, "end": 8}}, []) == {"hour-not-allowed"}

test_hour_past_midnight_near_miss_is_permitted if transfers({"hours": {"begin": 22, "end": 9}}, [])

test_hour_before_midnight_is_denied if transfer({"hours": {"begin": 9, "end": 6}}, []) == {"hour-not-allowed"}

test_hour_before_midnight_near_miss_is_permitted if transfers({"hours": {"begin": 8, "end": 6}}, [])

test_hours_that_end_as_they_begin_are_never if {
	transfer({"hours": {"begin": 8, "end": 8}}, []) == {"hour-not-allowed"}
	transfer({"hours": {"begin": 9, "end": 9}}, []) == {"hour-not-allowed"}
	transfer({"hours": {"begin": 7, "end": 7}}, []) == {"hour-not-allowed"}
}

test_an_hour_of_wrong_type_is_denied if {
	transfer({"hours": {"begin": 0, "end": 24}}, [facts_test.put("/local/hour", null)]) == {"hour-not-allowed"}
	transfer({"hours": {"begin": 22, "end": 9}}, [facts_test.put("/local/hour", "8")]) == {"hour-not-allowed"}
}

test_from_where_and_when_is_not_asked_of_an_application if {
	applies({"networks": ["10.99.0.0/16"], "weekdays": [1], "hours": {"begin": 20, "end": 21}}, [])
}

test_a_condition_of_the_purpose_is_denied if {
	transfer({"purposes": ["flood-control", "joint-warning"], "levels": ["city"]}, []) == {"level-not-allowed"}
}

test_a_condition_of_the_purpose_near_miss_is_permitted if transfers({"purposes": ["green-credit"], "levels": ["city"]}, [])

test_every_condition_must_be_met if {
	facts_test.denied(facts_test.transfer, [facts_test.put("/dataset/conditions", [
		facts_test.condition({"levels": ["city"]}),
		facts_test.condition({"levels": ["province"]}),
		facts_test.condition({"weekdays": [1]}),
	])]) == {"level-not-allowed", "weekday-not-allowed"}
}

test_a_condition_without_purposes_is_denied if {
	facts_test.denied(facts_test.transfer, [facts_test.put("/dataset/conditions", [
		object.remove(facts_test.condition({"levels": ["city"]}), ["purposes"]),
	])]) == {"facts-incomplete"}
}

test_unconditional_with_conditions_is_denied if {
	transfer({}, [facts_test.put("/dataset/sharing", "unconditional")]) == {"sharing-contradicts"}
}

test_unconditional_with_conditions_near_miss_is_permitted if {
	facts_test.permitted(facts_test.transfer, [facts_test.put("/dataset/sharing", "unconditional")])
}
