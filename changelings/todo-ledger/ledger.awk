# Reads the commits where a shallow history begins (if any), the line "old report", that report (if any), the line
# "new report", and then for each file what `git blame --line-porcelain` says about its lines, followed by its comments
# as comments.awk prints them. Prints a subject for the commit and then the new report; nothing if the list did not
# change. The environment variable `signature` is a line that marks a report as ours.

BEGIN {
  kinds = split("FIXME TODO HACK XXX", kind, " ")
  for (i = 1; i <= kinds; i++) rank[kind[i]] = i
}

# Gregorian date (UTC) of a Unix time.
function date(seconds,   day, era, year, month) {
  day = int(seconds / 86400) - (seconds < 0 && seconds % 86400 != 0) + 719468
  era = int(day / 146097)
  day -= era * 146097
  year = int((day - int(day / 1460) + int(day / 36524) - int(day / 146096)) / 365)
  day -= 365 * year + int(year / 4) - int(year / 100)
  month = int((5 * day + 2) / 153)
  day -= int((153 * month + 2) / 5) - 1
  month += month < 10 ? 3 : -9
  return sprintf("%04d-%02d-%02d", year + era * 400 + (month <= 2), month, day)
}

function in_markdown(text) {
  gsub(/[\001-\037\177]/, " ", text)
  gsub(/ +/, " ", text)
  gsub(/[][\\`*_{}<>|~&$]/, "\\\\&", text)
  return text
}

!part { if ($0 == "old report") part = "old"; else is_cut[$0] = 1; next }

# The old report's rows; a formatter may have padded their cells.
part == "old" && $0 == "new report" { part = "new"; next }
part == "old" && /^## (FIXME|TODO|HACK|XXX) / { split($0, word, " "); marker = word[2]; next }
part == "old" && /^[|] *(by )?[0-9][0-9][0-9][0-9]-/ {
  gsub(/ +/, " ")
  sub(/ $/, "")
  was[++before] = $0
  split(substr($0, 3, length($0) - 4), cell, " [|] ")
  where = substr(cell[2], 2)
  sub(/\]\([^()]*\)$/, "", where)
  old[before] = "- " marker " " where ": " cell[4]
  same[before] = marker " " cell[4]
  had[same[before]]++
  sub(/:[0-9]+$/, "", where)
  known[marker, where, cell[4]] = cell[1] "\t" cell[3]
  next
}
part == "old" { next }

$0 == "failed" { exit 1 }
$1 == "comment" {
  path = in_markdown($4)
  text = in_markdown($6)
  since = origin[$2]
  # In a shallow clone, an earlier report's data about a comment is still valid.
  if (since ~ /^by / && ($3, path, text) in known) since = known[$3, path, text]
  split(since, field, "\t")
  day = field[1]
  sub(/^by /, "", day)
  place = "[" path ":" $2 "](" $5 "#L" $2 ")"
  rows++
  key[rows] = sprintf("%d %s %s %9d", rank[$3], day, $4, $2)
  row[key[rows]] = "| " field[1] " | " place " | " field[2] " | " text " |"
  group[key[rows]] = $3
  what[key[rows]] = $3 " " text
  item[key[rows]] = "- " $3 " " place ": " text
  total[$3]++
  if (oldest == "" || day < oldest) oldest = day
  next
}
# git blame's entries: a head (commit, line then, line now), fields, and the line itself after a TAB.
/^\t/ { origin[line] = (commit in is_cut) ? "by " date(time) "\tunknown" : date(time) "\t" author; is_entry = 0; next }
!is_entry { split($0, word, " "); commit = word[1]; line = word[3]; is_entry = 1; next }
/^author / { author = in_markdown(substr($0, 8)) }
/^author-time / { time = substr($0, 13) }

function sort_keys(   gap, i, j, moved) {
  for (gap = int(rows / 2); gap > 0; gap = int(gap / 2)) {
    for (i = gap + 1; i <= rows; i++) {
      moved = key[i]
      for (j = i; j > gap && key[j - gap] > moved; j -= gap) key[j] = key[j - gap]
      key[j] = moved
    }
  }
}

END {
  sort_keys()
  is_changed = rows != before
  for (i = 1; i <= rows; i++) {
    if (row[key[i]] != was[i]) is_changed = 1
    # The same words are the same comment, wherever it moved. Of several, the oldest are the known ones.
    if (had[what[key[i]]] > 0) had[what[key[i]]]--
    else added[++news] = item[key[i]]
  }
  if (!is_changed) exit
  for (i = before; i >= 1; i--) if (had[same[i]]-- > 0) gone[++resolved] = old[i]
  changes = (news + 0) " new, " (resolved + 0) " resolved"
  print "Update the TODO ledger: " (rows + 0) " open, " changes

  print "# TODO ledger\n\n" ENVIRON["signature"] "\n"
  for (i = 1; i <= kinds; i++) {
    if (kind[i] in total) counts = counts (counts == "" ? "" : ", ") total[kind[i]] " " kind[i]
  }
  summary = rows ? "**" rows " open**: " counts "; the oldest is from " oldest "." : "**Nothing is open.**"
  print summary " " (before ? "Since the last report: " changes "." : "This is the first report.")
  if (before && news) {
    print "\n## New since the last report\n"
    for (i = 1; i <= news; i++) print added[i]
  }
  if (resolved) {
    print "\n## Resolved since the last report\n"
    for (i = resolved; i >= 1; i--) print gone[i]
  }
  for (i = 1; i <= rows; i++) {
    if (i == 1 || group[key[i]] != group[key[i - 1]]) {
      print "\n## " group[key[i]] " (" total[group[key[i]]] ")\n\n| Since | Where | Who | What |\n| --- | --- | --- | --- |"
    }
    print row[key[i]]
  }
}
