# What holds for every action: who asks, who provides, and what the dataset's signed record says.
# Every condition is a total rule (default false), so a missing or odd fact denies (docs: portable profile).
package headwaters.access

import rego.v1

import data.headwaters.obligations

default open := false

open if {
	facts_whole
	consumer_active
	provider_active
	shared
	purpose_offered
	level_sufficient
	sector_named
	something_visible
}

deny contains {"code": "facts-incomplete", "args": {}} if not facts_whole

deny contains {"code": "consumer-not-active", "args": {"status": consumer_status}} if not consumer_active

deny contains {"code": "provider-not-active", "args": {"status": provider_status}} if not provider_active

deny contains {"code": "dataset-not-shared", "args": {"basis": sharing_basis}} if not shared

deny contains {"code": "purpose-not-offered", "args": {"purpose": purpose}} if not purpose_offered

deny contains {"code": "level-too-low", "args": {"classification": classification}} if not level_sufficient

deny contains {"code": "sector-not-named", "args": {"sector": sector}} if not sector_named

deny contains {"code": "nothing-visible", "args": {"purpose": purpose}} if not something_visible

# A list of fields that is no list, or an entry without a purpose, would redact nothing.
default facts_whole := false

facts_whole if {
	is_array(input.dataset.fields)
	is_array(input.dataset.purpose_fields)
	whole := [entry |
		some entry in input.dataset.purpose_fields
		is_string(entry.purpose)
		is_array(entry.fields)
	]
	count(whole) == count(input.dataset.purpose_fields)
}

default consumer_active := false

consumer_active if input.participant.status == "active"

default provider_active := false

provider_active if input.dataset.provider_status == "active"

default shared := false

shared if input.dataset.sharing in {"conditional", "unconditional"}

# An empty list of purposes means any purpose.
default purpose_offered := false

purpose_offered if input.dataset.purposes == []

purpose_offered if input.purpose in input.dataset.purposes

# Classes 1 and 2 are open to every level; 3 and 4 only to national bodies and provinces, and to a purpose for
# which the provider itself says, field by field, what may be seen.
default level_sufficient := false

level_sufficient if input.dataset.classification in {1, 2}

level_sufficient if {
	input.dataset.classification in {3, 4}
	input.participant.level in {"national", "province"}
}

level_sufficient if {
	input.dataset.classification in {3, 4}
	purpose_named
}

# Outside government a dataset serves a purpose only when its provider says which fields that purpose may see.
default sector_named := false

sector_named if input.participant.sector == "government"

sector_named if purpose_named

default purpose_named := false

purpose_named if {
	some entry in input.dataset.purpose_fields
	entry.purpose == input.purpose
}

default something_visible := false

something_visible if count(obligations.visible) > 0

# Words for the reasons. Each has a default: a reason must not vanish because its argument is missing.
default consumer_status := "?"

consumer_status := input.participant.status

default provider_status := "?"

provider_status := input.dataset.provider_status

default sharing_basis := "?"

sharing_basis := input.dataset.sharing_basis

default purpose := "?"

purpose := input.purpose

default classification := 0

classification := input.dataset.classification

default sector := "?"

sector := input.participant.sector
