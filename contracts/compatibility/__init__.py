"""Whether one version of a contract may follow another, shown by proof or by a record that tells them apart.

``comparison`` is what others call. ``search`` looks for a record that one schema admits and another refuses,
and comes back with the record, with the proof that there is none, or with neither.
"""
