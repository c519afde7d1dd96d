# What holds for every action: who asks, who provides, and what the dataset's signed record says. Each possible
# denial stands here with what clears it; where nothing does, as when a fact is missing or odd, it stands.
package headwaters.access

import rego.v1

import data.headwaters.emergency
import data.headwaters.fields

deny := {code | some code, clearance in clears; clearance == []}

clears := {
	# A list that is no list, or an entry that lacks a part, would hide nothing and ask for nothing.
	"facts-incomplete": [1 |
		count(fields.known) == count(input.dataset.fields)
		count(input.dataset.purpose_fields) == count([1 | some entry in input.dataset.purpose_fields; names_fields(entry)])
		count(input.dataset.conditions) == count([1 | some entry in input.dataset.conditions; is_array(entry.purposes)])
		count(input.dataset.duties) == count([1 | some entry in input.dataset.duties; is_duty(entry)])
	],
	# Invited, pending, suspended, quarantined, revoked: whoever is not active takes no part.
	"consumer-not-active": [1 | input.participant.status == "active"],
	"provider-not-active": [1 | input.dataset.provider_status == "active"],
	"dataset-not-shared": [1 | input.dataset.sharing in {"conditional", "unconditional"}],
	# Order 809, article 14: what is shared unconditionally carries no conditions.
	"sharing-contradicts": array.concat(
		[1 | input.dataset.sharing in {"conditional", "not-shared"}],
		[1 | input.dataset.conditions == []],
	),
	# An empty list of purposes means any purpose.
	"purpose-not-offered": array.concat(
		[1 | input.dataset.purposes == []],
		[1 | input.purpose in input.dataset.purposes],
	),
	# Classes 1 and 2 are open to every level.
	"level-too-low": array.concat(
		[1 | fields.classification in {1, 2}],
		[1 | fields.classification in {3, 4}; open_above_2(input.participant)],
	),
	"core-not-named": array.concat(
		[1 | fields.classification in {1, 2, 3}],
		[1 | fields.classification == 4; open_core(input.participant)],
	),
	"sector-not-named": array.concat(
		[1 | input.participant.sector == "government"],
		[1 | fields.named != []],
	),
	"nothing-visible": [1 | fields.visible != set()],
}

names_fields(entry) if {
	is_string(entry.purpose)
	is_array(entry.fields)
}

is_duty(entry) if {
	is_array(entry.purposes)
	is_array(entry.levels)
	is_array(entry.sectors)
	entry.obligation.kind in {"mask", "row-filter", "aggregate-only", "quota", "rate", "watermark", "expiry"}
}

# Above class 2 a use is open to national bodies and provinces, to those above the provider in its own administrative
# tree, and to a purpose for which the provider says, field by field, what may be seen.
open_above_2(who) if who.level in {"national", "province"}

open_above_2(who) if {
	who.level in {"city", "county"}
	is_string(who.territory)
	is_string(input.dataset.provider_territory)
	startswith(input.dataset.provider_territory, who.territory)
}

open_above_2(_) if fields.named != []

open_above_2(_) if emergency.waives

# Core data stays with national bodies and with purposes that the provider names.
open_core(who) if who.level == "national"

open_core(_) if fields.named != []

open_core(_) if emergency.waives
