# Which fields a purpose sees, and how sensitive what it sees is. A field is redacted when any entry for the
# purpose leaves it out, so a second, wider entry for the same purpose never widens the first.
package headwaters.fields

import rego.v1

known := {field.name |
	some field in input.dataset.fields
	field.classification in {1, 2, 3, 4}
}

# The lists of fields that the record names for this purpose.
named := [entry.fields |
	some entry in input.dataset.purpose_fields
	entry.purpose == input.purpose
]

redacted := {field |
	some list in named
	some field in (known - {seen | some seen in list})
}

visible := known - redacted

# Highest wins (GB/T 43697): the dataset's own class, or that of the most sensitive field left visible. Where the
# dataset has none there is none, and nothing is open.
default classification := 0

classification := max({input.dataset.classification} | {field.classification |
	some field in input.dataset.fields
	field.name in visible
})
