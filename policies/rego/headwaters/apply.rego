# An application to use a dataset: may it be made at all? Whether to agree is the provider's business.
package headwaters.apply

import rego.v1

deny := {code | some code, clearance in clears; clearance == []}

clears := {"application-time-past": [1 |
	is_number(input.now_ms)
	is_number(input.application.until_ms)
	input.now_ms < input.application.until_ms
]}
