# What differs from run to run: times, ids, revisions, drawn suffixes of pod names.
s/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z/YYYY-MM-DDThh:mm:ssZ/g
s/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/<uid>/g
s/^( *Resource Version: +)[0-9]+$/\1<number>/
s/(chat-[a-z0-9]{8}-[a-z0-9]{8,10})-[a-z0-9]{5}([^a-z0-9]|$)/\1-xxxxx\2/g
# kubectl 1.34 and later say from where.
s/(" (force )?deleted) from [a-z]+ namespace$/\1/
