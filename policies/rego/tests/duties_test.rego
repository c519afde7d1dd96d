# Duties: whom they mean, how they are merged, and when they cannot be met.
package headwaters.duties_test

import rego.v1

import data.headwaters.facts_test

given(duties) := facts_test.put("/dataset/duties", duties)

always(obligations) := given([facts_test.duty(obligation) | some obligation in obligations])

binding := {"kind": "purpose-binding", "purpose": "joint-warning", "onward_sharing": false}

# What the duties of the record leave in front of the binding.
imposed(obligations) := array.slice(list, 0, count(list) - 1) if {
	list := facts_test.permitted(facts_test.transfer, [always(obligations)])
	list[count(list) - 1] == binding
}

mask(field, how) := facts_test.mask(field, how)

null_mask := {"method": "null"}

round_mask := {"method": "round", "digits": 1}

rows(field) := {"kind": "row-filter", "rows": {"type": "field", "operator": "eq", "field": field, "value": 1}}

figures(by, field) := {
	"kind": "aggregate-only",
	"by": [by],
	"measures": [{"field": field, "function": "mean"}],
	"min_group": 5,
}

quota(limit) := {"kind": "quota", "unit": "rows", "limit": limit, "window_seconds": 86400}

rate(fetches) := {"kind": "rate", "fetches": fetches, "window_seconds": 60}

expiry(days) := {"kind": "expiry", "days": days}

watermark(recipient) := {"kind": "watermark", "recipient": recipient}

me := "p-aaaaaaaaaaaa"

test_no_duty_imposes_nothing if imposed([]) == []

test_a_duty_of_the_purpose_is_imposed if {
	duty := object.union(facts_test.duty(expiry(3)), {"purposes": ["green-credit", "joint-warning"]})
	facts_test.permitted(facts_test.transfer, [given([duty])]) == [binding, expiry(3)]
}

test_a_duty_of_another_purpose_is_not if {
	duty := object.union(facts_test.duty(expiry(3)), {"purposes": ["green-credit"]})
	facts_test.permitted(facts_test.transfer, [given([duty])]) == [binding]
}

test_a_duty_of_the_level_is_imposed if {
	duty := object.union(facts_test.duty(expiry(3)), {"levels": ["city", "province"]})
	facts_test.permitted(facts_test.transfer, [given([duty])]) == [binding, expiry(3)]
}

test_a_duty_of_another_level_is_not if {
	duty := object.union(facts_test.duty(expiry(3)), {"levels": ["city"]})
	facts_test.permitted(facts_test.transfer, [given([duty])]) == [binding]
}

test_a_duty_of_the_sector_is_imposed if {
	duty := object.union(facts_test.duty(expiry(3)), {"sectors": ["finance", "government"]})
	facts_test.permitted(facts_test.transfer, [given([duty])]) == [binding, expiry(3)]
}

test_a_duty_of_another_sector_is_not if {
	duty := object.union(facts_test.duty(expiry(3)), {"sectors": ["finance"]})
	facts_test.permitted(facts_test.transfer, [given([duty])]) == [binding]
}

test_a_duty_of_unknown_kind_is_denied if {
	facts_test.denied(facts_test.transfer, [always([{"kind": "notify"}])]) == {"facts-incomplete"}
}

lacking(part) := facts_test.denied(facts_test.transfer, [given([object.remove(facts_test.duty(expiry(3)), [part])])])

test_a_duty_without_its_lists_is_denied if {
	lacking("purposes") == {"facts-incomplete"}
	lacking("levels") == {"facts-incomplete"}
	lacking("sectors") == {"facts-incomplete"}
}

without(fact) := facts_test.denied(facts_test.transfer, [{"op": "remove", "path": fact}])

test_a_record_without_its_lists_is_denied if {
	without("/dataset/duties") == {"facts-incomplete"}
	without("/dataset/conditions") == {"facts-incomplete"}
	without("/dataset/purpose_fields") == {"facts-incomplete"}
	"facts-incomplete" in without("/dataset/fields")
}

test_the_same_mask_twice_counts_once if imposed([mask("pm25", round_mask), mask("pm25", round_mask)]) == [mask("pm25", round_mask)]

test_two_different_masks_empty_the_field if {
	imposed([mask("pm25", round_mask), mask("pm25", {"method": "round", "digits": 2})]) == [mask("pm25", null_mask)]
}

test_masks_of_two_fields_stand_side_by_side if {
	imposed([mask("station", null_mask), mask("pm25", round_mask)]) == [mask("pm25", round_mask), mask("station", null_mask)]
}

test_a_contested_mask_leaves_its_neighbour_alone if {
	imposed([
		mask("station", round_mask),
		mask("pm25", round_mask),
		mask("pm25", null_mask),
		mask("operator", round_mask),
	]) == [mask("operator", round_mask), mask("pm25", null_mask), mask("station", round_mask)]
}

test_a_hash_is_made_for_the_consumer if {
	imposed([mask("station", {"method": "hash", "recipient": null})]) == [mask("station", {"method": "hash", "recipient": me})]
}

test_a_hash_for_another_is_made_for_the_consumer if {
	imposed([
		mask("station", {"method": "hash", "recipient": "p-zzzzzzzzzzzz"}),
		mask("station", {"method": "hash", "recipient": null}),
	]) == [mask("station", {"method": "hash", "recipient": me})]
}

test_a_redacted_field_is_not_masked_too if {
	facts_test.permitted(facts_test.application, [
		facts_test.put("/purpose", "green-credit"),
		always([mask("operator", null_mask), mask("pm25", round_mask)]),
	]) == [
		{"kind": "redact", "fields": ["operator"]},
		mask("pm25", round_mask),
		object.union(binding, {"purpose": "green-credit"}),
	]
}

test_one_row_filter_stays_as_it_is if imposed([rows("station")]) == [rows("station")]

test_the_same_row_filter_twice_counts_once if imposed([rows("station"), rows("station")]) == [rows("station")]

test_row_filters_are_joined_in_order if {
	imposed([rows("station"), rows("pm25")]) == [{
		"kind": "row-filter",
		"rows": {"type": "compound", "operator": "and", "value": [rows("pm25").rows, rows("station").rows]},
	}]
}

test_a_row_filter_may_speak_of_hidden_fields if {
	facts_test.permitted(facts_test.application, [facts_test.put("/purpose", "green-credit"), always([rows("operator")])])[1] == rows("operator")
}

test_two_aggregates_are_denied if {
	two := [figures("station", "pm25"), figures("operator", "pm25")]
	facts_test.denied(facts_test.transfer, [always(two)]) == {"duties-conflict"}
}

test_two_aggregates_near_miss_is_permitted if {
	imposed([figures("station", "pm25"), figures("station", "pm25")]) == [figures("station", "pm25")]
}

test_an_aggregate_of_a_masked_field_is_denied if {
	facts_test.denied(facts_test.transfer, [always([figures("station", "pm25"), mask("pm25", round_mask)])]) == {"duties-conflict"}
}

test_an_aggregate_by_a_masked_field_is_denied if {
	facts_test.denied(facts_test.transfer, [always([figures("station", "pm25"), mask("station", round_mask)])]) == {"duties-conflict"}
}

test_an_aggregate_of_a_masked_field_near_miss_is_permitted if {
	imposed([figures("station", "pm25"), mask("operator", null_mask)]) == [mask("operator", null_mask), figures("station", "pm25")]
}

test_an_aggregate_of_a_redacted_field_is_denied if {
	changes := [facts_test.put("/purpose", "green-credit"), always([figures("station", "operator")])]
	facts_test.denied(facts_test.application, changes) == {"duties-conflict"}
}

test_an_aggregate_of_a_redacted_field_near_miss_is_permitted if {
	changes := [facts_test.put("/purpose", "green-credit"), always([figures("station", "pm25")])]
	facts_test.permitted(facts_test.application, changes)
}

test_a_mask_of_no_field_is_denied if {
	facts_test.denied(facts_test.transfer, [always([mask("wind", null_mask)])]) == {"duty-names-no-field"}
	facts_test.denied(facts_test.transfer, [always([figures("station", "wind")])]) == {"duty-names-no-field"}
	facts_test.denied(facts_test.transfer, [always([figures("wind", "pm25")])]) == {"duty-names-no-field"}
}

test_a_mask_of_no_field_near_miss_is_permitted if imposed([mask("pm25", null_mask)]) == [mask("pm25", null_mask)]

test_a_mask_of_no_field_is_quoted if {
	answered := facts_test.answer(facts_test.transfer, [always([mask("wind", null_mask)])])
	answered.denials == [{"code": "duty-names-no-field", "args": {"field": "wind"}}]
}

test_quotas_and_rates_are_all_kept_once if {
	imposed([rate(9), quota(5), rate(2), quota(3), quota(5)]) == [quota(3), quota(5), rate(2), rate(9)]
}

test_one_watermark_is_for_the_consumer if {
	imposed([watermark("p-zzzzzzzzzzzz"), watermark(null)]) == [watermark(me)]
}

test_the_smallest_expiry_wins if {
	facts_test.permitted(facts_test.transfer, [always([expiry(9), expiry(3), expiry(30)])]) == [binding, expiry(3)]
}

bank := [facts_test.put("/participant/sector", "finance"), facts_test.put("/purpose", "green-credit")]

outside(changes) := facts_test.permitted(facts_test.application, array.concat(bank, changes))

test_outside_government_data_is_marked_and_expires if {
	outside([]) == [
		{"kind": "redact", "fields": ["operator"]},
		watermark(me),
		object.union(binding, {"purpose": "green-credit"}),
		expiry(365),
	]
}

test_outside_government_a_smaller_expiry_stays if {
	kept := outside([always([expiry(30)])])
	kept[3] == expiry(30)
}

test_outside_government_a_larger_expiry_shrinks if {
	kept := outside([always([expiry(400)])])
	kept[3] == expiry(365)
}

test_everything_stands_in_one_order if {
	imposed([
		watermark(null),
		rate(2),
		quota(3),
		figures("station", "pm25"),
		rows("pm25"),
		mask("operator", null_mask),
	]) == [
		mask("operator", null_mask),
		rows("pm25"),
		figures("station", "pm25"),
		quota(3),
		rate(2),
		watermark(me),
	]
}
