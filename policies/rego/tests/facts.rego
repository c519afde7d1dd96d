# The questions that the tests start from: everything holds, so each test changes one fact.
package headwaters.facts_test

import rego.v1

import data.headwaters.main

participant := {
	"id": "p-aaaaaaaaaaaa",
	"status": "active",
	"level": "province",
	"territory": "51",
	"sector": "government",
}

dataset := {
	"dataset": "air-hourly",
	"provider": "p-bbbbbbbbbbbb",
	"provider_status": "active",
	"provider_territory": "50",
	"sharing": "conditional",
	"sharing_basis": "Order 809 art. 14",
	"classification": 2,
	"purposes": ["joint-warning", "green-credit"],
	"purpose_fields": [{"purpose": "green-credit", "fields": ["station", "pm25"]}],
	"fields": [{"name": "station", "classification": 1}, {"name": "pm25", "classification": 1}, {"name": "operator", "classification": 2}],
	"synthetic": false,
	"conditions": [],
	"duties": [],
	"emergency": false,
}

application := {
	"v": 2,
	"action": "apply",
	"now_ms": 1000,
	"local": {"weekday": 4, "hour": 8},
	"address": "10.51.3.4",
	"participant": participant,
	"dataset": dataset,
	"purpose": "joint-warning",
	"application": {"until_ms": 2000},
}

transfer := {
	"v": 2,
	"action": "transfer",
	"now_ms": 1000,
	"local": {"weekday": 4, "hour": 8},
	"address": "10.51.3.4",
	"participant": participant,
	"dataset": dataset,
	"purpose": "joint-warning",
	"agreement": {
		"agreement": "a-cccccccccccc",
		"state": "active",
		"consumer": "p-aaaaaaaaaaaa",
		"provider": "p-bbbbbbbbbbbb",
		"dataset": "air-hourly",
		"purpose": "joint-warning",
		"not_before_ms": 1000,
		"expires_ms": 1001,
		"record_digest_matches": true,
		"onward_sharing": false,
	},
	"subscription": {"state": "active", "owed_receipts": 0, "open_grants": 0},
}

# A condition that limits nothing but what is given.
condition(limits) := object.union(
	{
		"purposes": [],
		"territories": [],
		"levels": [],
		"sectors": [],
		"networks": [],
		"weekdays": [],
		"hours": null,
	},
	limits,
)

# A duty of every use, with one obligation.
duty(obligation) := {"purposes": [], "levels": [], "sectors": [], "obligation": obligation}

mask(field, how) := {"kind": "mask", "field": field, "how": how}

put(path, value) := {"op": "replace", "path": path, "value": value}

answer(question, changes) := answered if answered := main.answer with input as json.patch(question, changes)

# The codes of a denial that carries no obligation, no ground and no time.
denied(question, changes) := codes if {
	answered := answer(question, changes)
	answered.allow == false
	answered.grounds == []
	answered.obligations == []
	answered.valid_until_ms == 0
	codes := {denial.code | some denial in answered.denials}
}

# The obligations of a permit that carries no denial.
permitted(question, changes) := answered.obligations if {
	answered := answer(question, changes)
	answered.allow == true
	answered.denials == []
	count(answered.grounds) > 0
	answered.valid_until_ms > 1000
}
