# What must be done to the data before it leaves, in one order and one form, so that the same has one digest: what the
# purpose may not see, what the provider's record demands of this use, and what the alliance imposes by itself.
package headwaters.obligations

import rego.v1

import data.headwaters.duties
import data.headwaters.fields

list := [obligation |
	some part in [
		[{"kind": "redact", "fields": sort(fields.redacted)} | fields.redacted != set()],
		[merged | input.dataset.duties != []; some merged in duties.merged],
		[{"kind": "watermark", "recipient": input.participant.id} | marks != []],
		[{"kind": "purpose-binding", "purpose": input.purpose, "onward_sharing": false}],
		[{"kind": "expiry", "days": min(days)} | days != []],
	]
	some obligation in part
]

# Outside government, and from class 3 on, a leaked file must name whom it was given to.
marks := array.concat(
	array.concat(outside, [1 | fields.classification >= 3]),
	[1 | input.dataset.duties != []; duties.watermarks != []],
)

# Outside government nothing is kept for longer than a year.
days := array.concat(
	[365 | outside != []],
	[expiry.days | input.dataset.duties != []; some expiry in duties.expiries],
)

outside := [1 | input.participant.sector != "government"]
