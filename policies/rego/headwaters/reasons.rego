# The facts that a reason quotes, by its code. A reason must not vanish because a fact is missing, so a stand-in takes
# its place; the sentences themselves are policies/reasons.py.
package headwaters.reasons

import rego.v1

import data.headwaters.duties
import data.headwaters.fields
import data.headwaters.transfer

words := {
	"consumer-not-active": {"status": text(["participant", "status"])},
	"provider-not-active": {"status": text(["dataset", "provider_status"])},
	"dataset-not-shared": {"basis": text(["dataset", "sharing_basis"])},
	"purpose-not-offered": {"purpose": text(["purpose"])},
	"level-too-low": {"classification": fields.classification},
	"core-not-named": {"purpose": text(["purpose"])},
	"sector-not-named": {"sector": text(["participant", "sector"])},
	"nothing-visible": {"purpose": text(["purpose"])},
	"territory-not-allowed": {"territory": text(["participant", "territory"])},
	"level-not-allowed": {"level": text(["participant", "level"])},
	"sector-not-allowed": {"sector": text(["participant", "sector"])},
	"network-not-allowed": {"address": text(["address"])},
	"weekday-not-allowed": {"weekday": number(["local", "weekday"])},
	"hour-not-allowed": {"hour": number(["local", "hour"])},
	"duty-names-no-field": {"field": array.concat(sort(duties.strangers), ["?"])[0]},
	"agreement-not-active": {"state": text(["agreement", "state"])},
	"subscription-not-active": {"state": text(["subscription", "state"])},
	"receipt-owed": {"owed": number(["subscription", "owed_receipts"])},
	"too-many-open-grants": {"open": number(["subscription", "open_grants"]), "limit": transfer.grant_limit},
}

text(path) := array.concat([said | said := object.get(input, path, null); is_string(said)], ["?"])[0]

number(path) := array.concat([said | said := object.get(input, path, null); is_number(said)], [0])[0]
