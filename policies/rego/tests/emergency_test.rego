# Emergencies: what they open, for how long, and what they never open.
package headwaters.emergency_test

import rego.v1

import data.headwaters.facts_test

# A county far from the provider, for which class 4 and the conditions leave no ordinary way in.
far := [
	facts_test.put("/purpose", "emergency-response"),
	facts_test.put("/dataset/purposes", ["emergency-response"]),
	facts_test.put("/participant/level", "county"),
	facts_test.put("/participant/territory", "540121"),
	facts_test.put("/dataset/classification", 4),
	facts_test.put("/dataset/conditions", [facts_test.condition({
		"territories": ["50"],
		"levels": ["city"],
		"sectors": ["health"],
		"networks": ["10.0.0.0/32"],
		"weekdays": [1],
		"hours": {"begin": 1, "end": 2},
	})]),
	facts_test.put("/dataset/emergency", true),
]

agreed := [facts_test.put("/agreement/purpose", "emergency-response"), facts_test.put("/agreement/expires_ms", 9000)]

declared(until_ms) := [{
	"op": "add",
	"path": "/emergency",
	"value": {"emergency": "m-eeeeeeeeeeee", "until_ms": until_ms},
}]

base := array.concat(far, agreed)

open := array.concat(base, declared(3000))

all_conditions := {
	"territory-not-allowed",
	"level-not-allowed",
	"sector-not-allowed",
	"network-not-allowed",
	"weekday-not-allowed",
	"hour-not-allowed",
}

test_no_emergency_is_denied if {
	denied := facts_test.denied(facts_test.transfer, base)
	denied == {"no-emergency", "level-too-low", "core-not-named"} | all_conditions
}

test_no_emergency_near_miss_is_permitted if facts_test.permitted(facts_test.transfer, open)

test_a_near_dataset_needs_the_emergency_too if {
	near := [
		facts_test.put("/purpose", "emergency-response"),
		facts_test.put("/dataset/purposes", []),
		facts_test.put("/agreement/purpose", "emergency-response"),
	]
	facts_test.denied(facts_test.transfer, near) == {"no-emergency"}
	facts_test.permitted(facts_test.transfer, array.concat(near, declared(1001)))
	facts_test.denied(facts_test.transfer, array.concat(near, declared(1000))) == {"no-emergency"}
}

test_an_emergency_of_wrong_type_is_none if {
	answered := facts_test.denied(facts_test.transfer, array.concat(base, declared("3000")))
	"no-emergency" in answered
}

test_the_emergency_is_a_ground_beside_the_agreement if {
	answered := facts_test.answer(facts_test.transfer, open)
	answered.grounds == [
		{"code": "agreement-in-force", "args": {"agreement": "a-cccccccccccc"}},
		{"code": "emergency-declared", "args": {"emergency": "m-eeeeeeeeeeee"}},
	]
}

test_a_permit_ends_with_the_emergency if {
	answered := facts_test.answer(facts_test.transfer, open)
	answered.valid_until_ms == 3000
}

test_another_purpose_is_no_emergency if {
	changes := array.concat(declared(3000), [facts_test.put("/dataset/emergency", true), facts_test.put("/agreement/expires_ms", 9000)])
	answered := facts_test.answer(facts_test.transfer, changes)
	answered.grounds == [{"code": "agreement-in-force", "args": {"agreement": "a-cccccccccccc"}}]
	answered.valid_until_ms == 6000
	city := [
		facts_test.put("/dataset/classification", 3),
		facts_test.put("/participant/level", "city"),
		facts_test.put("/dataset/conditions", [facts_test.condition({"sectors": ["health"]})]),
	]
	facts_test.denied(facts_test.transfer, array.concat(changes, city)) == {"level-too-low", "sector-not-allowed"}
}

test_a_dataset_that_did_not_opt_in_is_denied if {
	changes := array.concat(open, [facts_test.put("/dataset/emergency", false)])
	facts_test.denied(facts_test.transfer, changes) == {"level-too-low", "core-not-named"} | all_conditions
}

test_an_emergency_never_waives_standing if {
	suspended := array.concat(open, [facts_test.put("/participant/status", "suspended")])
	facts_test.denied(facts_test.transfer, suspended) == {"consumer-not-active"}
	quarantined := array.concat(open, [facts_test.put("/dataset/provider_status", "quarantined")])
	facts_test.denied(facts_test.transfer, quarantined) == {"provider-not-active"}
}

test_an_emergency_never_waives_the_agreement if {
	ended := array.concat(open, [facts_test.put("/agreement/state", "ended")])
	facts_test.denied(facts_test.transfer, ended) == {"agreement-not-active"}
}

test_an_emergency_never_waives_the_sharing_class if {
	hidden := array.concat(open, [facts_test.put("/dataset/sharing", "not-shared")])
	facts_test.denied(facts_test.transfer, hidden) == {"dataset-not-shared"}
	contradicting := array.concat(open, [facts_test.put("/dataset/sharing", "unconditional")])
	facts_test.denied(facts_test.transfer, contradicting) == {"sharing-contradicts"}
}

# Even a bank whose fields are named keeps the conditions: an emergency is government's to answer.
test_an_emergency_waives_nothing_for_others if {
	named := [{"purpose": "emergency-response", "fields": ["station", "pm25"]}]
	bank := [facts_test.put("/participant/sector", "finance"), facts_test.put("/dataset/purpose_fields", named)]
	facts_test.denied(facts_test.transfer, array.concat(open, bank)) == all_conditions
	applying := array.concat(far, bank)
	facts_test.denied(facts_test.application, applying) == {
		"territory-not-allowed",
		"level-not-allowed",
		"sector-not-allowed",
	}
}

test_an_emergency_never_waives_the_sector if {
	bank := array.concat(open, [facts_test.put("/participant/sector", "finance")])
	"sector-not-named" in facts_test.denied(facts_test.transfer, bank)
}

test_an_emergency_never_waives_the_purposes_offered if {
	other := array.concat(open, [facts_test.put("/dataset/purposes", ["green-credit"])])
	facts_test.denied(facts_test.transfer, other) == {"purpose-not-offered"}
}

test_an_emergency_never_waives_duties if {
	changes := array.concat(open, [
		facts_test.put("/dataset/purpose_fields", [{"purpose": "emergency-response", "fields": ["station", "pm25"]}]),
		facts_test.put("/dataset/duties", [facts_test.duty(facts_test.mask("station", {"method": "null"}))]),
	])
	facts_test.permitted(facts_test.transfer, changes) == [
		{"kind": "redact", "fields": ["operator"]},
		{"kind": "mask", "field": "station", "how": {"method": "null"}},
		{"kind": "watermark", "recipient": "p-aaaaaaaaaaaa"},
		{"kind": "purpose-binding", "purpose": "emergency-response", "onward_sharing": false},
	]
}

test_an_agreement_is_made_ahead if {
	answered := facts_test.answer(facts_test.application, far)
	answered.allow == true
	answered.grounds == [{"code": "may-apply", "args": {}}]
}

test_an_agreement_made_ahead_needs_the_opt_in if {
	changes := array.concat(far, [facts_test.put("/dataset/emergency", false)])
	facts_test.denied(facts_test.application, changes) == {
		"level-too-low",
		"core-not-named",
		"territory-not-allowed",
		"level-not-allowed",
		"sector-not-allowed",
	}
}

test_an_application_for_another_purpose_waives_nothing if {
	changes := array.concat(far, [facts_test.put("/purpose", "joint-warning"), facts_test.put("/dataset/purposes", [])])
	"level-too-low" in facts_test.denied(facts_test.application, changes)
}

test_an_application_in_an_emergency_names_it if {
	answered := facts_test.answer(facts_test.application, array.concat(far, declared(1500)))
	{ground.code | some ground in answered.grounds} == {"may-apply", "emergency-declared"}
	answered.valid_until_ms == 1500
}

test_an_emergency_at_no_moment_is_none if {
	answered := facts_test.denied(facts_test.transfer, array.concat(open, [facts_test.put("/now_ms", null)]))
	"no-emergency" in answered
}
