# What must be done to the data before it leaves. A field is redacted when any entry for the purpose leaves it
# out, so a second, wider entry for the same purpose never widens the first.
package headwaters.obligations

import rego.v1

all_fields := {field.name | some field in input.dataset.fields}

redacted contains field if {
	some entry in input.dataset.purpose_fields
	entry.purpose == input.purpose
	some field in (all_fields - {named | some named in entry.fields})
}

visible := all_fields - redacted

duties := array.concat(redaction, [{
	"kind": "purpose-binding",
	"purpose": input.purpose,
	"onward_sharing": false,
}])

default redaction := []

redaction := [{"kind": "redact", "fields": sort(redacted)}] if count(redacted) > 0
