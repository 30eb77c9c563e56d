# Ages in tables, and what has to move because of them. An unchanged row of a watch is shown once.

# A heading: where the ages stand.
/^LAST SEEN +/ { kind = "first"; print; next }
/ AGE$/        { kind = "last"; last = ""; print; next }
/ AGE  +/      {
    kind = "middle"
    start = index($0, " AGE ") + 1
    match(substr($0, start), /^AGE +/)
    end = start + RLENGTH
    print substr($0, 1, start - 1) "AGE     " substr($0, end)
    next
}
/^$/           { kind = "" }

kind == "first"  { print "<age>       " substr($0, 13); next }
kind == "middle" { print substr($0, 1, start - 1) "<age>   " substr($0, end); next }
kind == "last"   {
    sub(/ [0-9][0-9smhdy]*$/, " <age>")
    if (!(watched && $0 == last)) print
    last = $0
    next
}
{ print }
