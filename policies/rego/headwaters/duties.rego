# What the provider's record demands of this use: its duties for the purpose, level and sector, merged so that a
# field has one mask and the strictest wins.
package headwaters.duties

import rego.v1

import data.headwaters.fields

deny := {code | some code, clearance in clears; clearance == []}

clears := {
	# Two different aggregates cannot both be met, and no figure is made of what is hidden.
	"duties-conflict": [1 |
		count(aggregates) <= 1
		count(aggregated & (fields.redacted | masked)) == 0
	],
	"duty-names-no-field": [1 | strangers == set()],
}

# In the order that every list of obligations has.
merged := [obligation |
	some part in [
		masks,
		[{"kind": "row-filter", "rows": joined(filters)} | filters != []],
		aggregates,
		of("quota"),
		of("rate"),
	]
	some obligation in part
]

# An empty list of purposes, levels or sectors means all.
demanded := {duty.obligation |
	some duty in input.dataset.duties
	meant(duty.purposes, input.purpose)
	meant(duty.levels, input.participant.level)
	meant(duty.sectors, input.participant.sector)
}

meant(list, _) if list == []

meant(list, value) if value in list

of(kind) := sort({obligation |
	some obligation in demanded
	obligation.kind == kind
})

# Each field with each way to mask it, sorted, so two ways for one field stand next to each other.
ways := sort({{"field": mask.field, "how": towards(mask.how)} | some mask in of("mask")})

# A keyed hash is made for one recipient; a record leaves that open.
towards(how) := object.union(how, {"recipient": input.participant.id}) if how.method == "hash"

towards(how) := how if how.method != "hash"

masked := {way.field | some way in ways}

contested := {way.field |
	some place, way in ways
	ways[place + 1].field == way.field
}

# A redacted field is gone and needs no mask; two different masks for one field empty it.
masks := sort({{"kind": "mask", "field": way.field, "how": strictest(way)} |
	some way in ways
	way.field in fields.visible
})

strictest(way) := {"method": "null"} if way.field in contested

strictest(way) := way.how if count({way.field} & contested) == 0

filters := sort({filter.rows | some filter in of("row-filter")})

# Several filters must all hold.
joined(rows) := rows[0] if count(rows) == 1

joined(rows) := {"type": "compound", "operator": "and", "value": rows} if count(rows) > 1

aggregates := of("aggregate-only")

aggregated := {field |
	some aggregate in aggregates
	some field in array.concat(aggregate.by, [measure.field | some measure in aggregate.measures])
}

strangers := (masked | aggregated) - fields.known

watermarks := of("watermark")

expiries := of("expiry")
