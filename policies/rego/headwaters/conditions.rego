# Who may use the dataset, from where and when, as its record says. Every condition that speaks of the purpose must
# be met; an empty list in it sets no limit. From where and when is asked of a transfer: an application may come from
# any desk at any hour.
package headwaters.conditions

import rego.v1

import data.headwaters.emergency

deny := {code |
	some condition in input.dataset.conditions
	concerns(condition)
	not emergency.waives
	some code, clearance in clears(condition)
	clearance == []
}

concerns(condition) if condition.purposes == []

concerns(condition) if input.purpose in condition.purposes

clears(condition) := {
	# A territory includes all below it; both sides are written as stems (contracts.territory).
	"territory-not-allowed": array.concat(
		[1 | condition.territories == []],
		[1 |
			is_string(input.participant.territory)
			some stem in condition.territories
			startswith(input.participant.territory, stem)
		],
	),
	"level-not-allowed": array.concat(
		[1 | condition.levels == []],
		[1 | input.participant.level in condition.levels],
	),
	"sector-not-allowed": array.concat(
		[1 | condition.sectors == []],
		[1 | input.participant.sector in condition.sectors],
	),
	"network-not-allowed": array.concat(
		[1 | unlimited(condition.networks)],
		[1 |
			is_string(input.address)
			some block in condition.networks
			net.cidr_contains(block, input.address)
		],
	),
	"weekday-not-allowed": array.concat(
		[1 | unlimited(condition.weekdays)],
		[1 | input.local.weekday in condition.weekdays],
	),
	"hour-not-allowed": array.concat(
		[1 | unlimited(condition.hours)],
		[1 | is_number(input.local.hour); within(condition.hours)],
	),
}

unlimited(where_or_when) if where_or_when in {null, []}

unlimited(_) if input.action == "apply"

# From the start of the hour begin to the start of the hour end.
within(hours) if {
	hours.begin <= input.local.hour
	input.local.hour < hours.end
}

# Where the end lies before the begin, midnight lies between.
within(hours) if {
	hours.end < hours.begin
	hours.begin <= input.local.hour
}

within(hours) if {
	hours.end < hours.begin
	input.local.hour < hours.end
}
