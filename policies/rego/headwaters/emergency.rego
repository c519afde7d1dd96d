# Emergencies: declared by people, for a time, reviewed afterwards. Data moves for the purpose emergency-response only
# while one is declared. Where the provider opted in beforehand, it waives the record's conditions and the rule of
# classes for government, which responds to it; never for others, and never standing, agreement, sharing class,
# redactions, masks or any other duty.
package headwaters.emergency

import rego.v1

deny := {code |
	input.purpose == "emergency-response"
	some code, clearance in clears
	clearance == []
}

# Agreements are made ahead, in ordinary times.
clears := {"no-emergency": array.concat([1 | input.action == "apply"], [1 | declared])}

default declared := false

declared if {
	input.purpose == "emergency-response"
	is_number(input.now_ms)
	is_number(input.emergency.until_ms)
	input.now_ms < input.emergency.until_ms
}

default waives := false

waives if {
	opted_in
	declared
}

# Those whom the emergency would admit may agree ahead; their transfers still wait for it.
waives if {
	opted_in
	input.purpose == "emergency-response"
	input.action == "apply"
}

default opted_in := false

opted_in if {
	input.dataset.emergency == true
	input.participant.sector == "government"
}
