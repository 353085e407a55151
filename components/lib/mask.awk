# Copies its input and replaces secrets with `***`, line by line as they arrive. This file alone defines which spellings of
# a secret are redacted. Needs LC_ALL=C, so that characters are bytes.
# MASKED contains the names of the environment variables whose values are secrets, separated by spaces or newlines.
#
# A secret is redacted as it is, and also if its characters are escaped in JSON, percent-encoded or form-encoded, in any
# mixture. Each line of a secret with several lines is redacted separately. In base64, a secret is redacted from any
# text that contains it, in both alphabets. The passwords of URLs are redacted too. Secrets shorter than 4 characters are
# not, because they occur in almost any text.
#
# Lines may be wrapped (base64 at 76 characters, a terminal at its width). If a line begins or ends with 8 or more
# characters of a secret, that part is redacted.

function literal(c) {
  if (c ~ /[A-Za-z0-9]/) return c
  if (c == "\\" || c == "^") return "\\" c
  return "[" c "]"
}

# Hexadecimal digits of either case.
function hex(code, digits,    text, out, at, c) {
  text = sprintf("%0" digits "X", code)
  for (at = 1; at <= digits; at++) {
    c = substr(text, at, 1)
    out = out (c ~ /[A-F]/ ? "[" c tolower(c) "]" : c)
  }
  return out
}

function percent(c) { return "%" hex(ord[c], 2) }

# The pattern of one ASCII character, in every spelling.
function ascii(c,    forms) {
  if (c ~ /[A-Za-z0-9_.-]/) return literal(c)
  forms = literal(c) "|" percent(c) "|\\\\u" hex(ord[c], 4)
  if (c == "\"" || c == "\\" || c == "/") forms = forms "|\\\\" literal(c)
  if (c == "\t") forms = forms "|\\\\t"
  if (c == " ") forms = forms "|[+]"
  return "(" forms ")"
}

# The pattern of a character of several bytes, in every spelling.
function wide(bytes,    at, plain, code, lead) {
  for (at = 1; at <= length(bytes); at++) plain = plain "(" literal(substr(bytes, at, 1)) "|" percent(substr(bytes, at, 1)) ")"
  lead = length(bytes)
  code = ord[substr(bytes, 1, 1)] - (lead == 2 ? 192 : lead == 3 ? 224 : 240)
  for (at = 2; at <= lead; at++) code = code * 64 + ord[substr(bytes, at, 1)] - 128
  if (code < 65536) return "(" plain "|\\\\u" hex(code, 4) ")"
  code -= 65536
  return "(" plain "|\\\\u" hex(55296 + int(code / 1024), 4) "\\\\u" hex(56320 + code % 1024, 4) ")"
}

function written(text,    at, c, size, out) {
  for (at = 1; at <= length(text); at += size) {
    c = substr(text, at, 1)
    size = ord[c] < 192 ? 1 : ord[c] < 224 ? 2 : ord[c] < 240 ? 3 : 4
    if (size > 1 && at + size - 1 <= length(text)) out = out wide(substr(text, at, size))
    else {
      size = 1
      out = out (ord[c] < 128 ? ascii(c) : "(" literal(c) "|" percent(c) ")")
    }
  }
  return out
}

# The base64 characters that a text alone determines, if BEFORE other bytes precede it. Sets `rest` to the number of bits of
# the text that are left for one more character.
function base64(text, before,    at, code, bits, out) {
  rest = before * 8
  bits = 0
  while (rest >= 6) { rest -= 6; out = out "A" }
  for (at = 1; at <= length(text); at++) {
    bits = bits * 256 + ord[substr(text, at, 1)]
    rest += 8
    while (rest >= 6) {
      rest -= 6
      code = int(bits / power[rest])
      bits -= code * power[rest]
      out = out substr(alphabet, code + 1, 1)
    }
  }
  return substr(out, before == 0 ? 1 : before + 2)
}

# The pattern of OUT, the latest result of `base64`, with the characters before and after it, which contain some of the text's
# bits.
function base64_pattern(out, before,    at, c, shared, pattern) {
  for (at = 1; at <= length(out); at++) {
    c = substr(out, at, 1)
    pattern = pattern (c == "+" ? "([+-]|%2[Bb])" : c == "/" ? "([/_]|%2[Ff])" : c)
  }
  shared = "[A-Za-z0-9+/_-]?"
  return (before == 0 ? "" : shared) pattern (rest == 0 ? "" : shared)
}

# Keeps longer patterns first, because a shorter one may be a part of them.
function add(pattern, size,    at) {
  for (at = ++count; at > 1 && sizes[at - 1] < size; at--) {
    sizes[at] = sizes[at - 1]
    patterns[at] = patterns[at - 1]
  }
  sizes[at] = size
  patterns[at] = pattern
}

# Adds a text that may be wrapped. @param in_base64 whether it is base64
function add_broken(text, in_base64) {
  if (length(text) < 16) return
  broken[++broken_count] = text
  is_base64[broken_count] = in_base64
}

# Splits a text into pieces of at most MOST bytes, because a pattern must not become too long.
function pieces(text, most, parts,    count, size, at) {
  count = int((length(text) + most - 1) / most)
  size = int((length(text) + count - 1) / count)
  for (at = 1; at <= count; at++) parts[at] = substr(text, (at - 1) * size + 1, size)
  return count
}

function hide(secret,    lines, number, least, at, parts, total, each, before, out) {
  number = split(secret, lines, /\r?\n/)
  # A short line among longer ones is not a secret by itself. Redacting it would remove half of the text.
  least = 4
  for (at = 1; at <= number; at++) if (number > 1 && length(lines[at]) >= 8) least = 8
  for (at = 1; at <= number; at++) {
    if (length(lines[at]) < least || lines[at] ~ /^[ \t]*$/) continue
    total = pieces(lines[at], 64, parts)
    for (each = 1; each <= total; each++) {
      add(written(parts[each]), length(parts[each]))
      add_broken(parts[each], 0)
    }
    if (total > 1) add_broken(lines[at], 0)
  }
  if (length(secret) < 6) return
  total = pieces(secret, 48, parts)
  for (each = 1; each <= total; each++)
    if (length(parts[each]) >= 6)
      for (before = 0; before < 3; before++) {
        out = base64(parts[each], before)
        add(base64_pattern(out, before), length(parts[each]))
        add_broken(out, 1)
      }
  # Where two pieces meet in one line, the end of each may be too short to be redacted.
  if (total > 1) for (before = 0; before < 3; before++) add_broken(base64(secret, before), 1)
}

function next_index(text, part, after,    at) {
  at = index(substr(text, after + 1), part)
  return at == 0 ? 0 : at + after
}

# Redacts parts of secrets at the line's start and end. Indentation and a final backslash don't count.
function without_broken(line,    lead, last, normal, text, form, each, at, size, head, tail) {
  match(line, /^[ \t]*/)
  lead = RLENGTH
  last = match(line, /[ \t\r\\]*$/) ? RSTART - 1 : length(line)
  if (last - lead < 8) return line
  normal = line
  gsub(/-/, "+", normal)
  gsub(/_/, "/", normal)
  head = lead
  tail = last + 1
  for (each = 1; each <= broken_count; each++) {
    form = broken[each]
    text = is_base64[each] ? normal : line
    for (at = 0; (at = next_index(form, substr(text, lead + 1, 8), at)) > 0;) {
      size = length(form) - at + 1
      if (size > last - lead) size = last - lead
      if (lead + size > head && substr(form, at, size) == substr(text, lead + 1, size)) head = lead + size
    }
    for (at = 0; (at = next_index(form, substr(text, last - 7, 8), at)) > 0;) {
      size = at + 7
      if (size > last - lead || last - size + 1 >= tail) continue
      if (substr(form, 1, size) == substr(text, last - size + 1, size)) tail = last - size + 1
    }
  }
  if (head == lead && tail > last) return line
  if (head >= tail) return substr(line, 1, lead) "***" substr(line, last + 1)
  return substr(line, 1, lead) (head > lead ? "***" : "") substr(line, head + 1, tail - head - 1) (tail <= last ? "***" : "") substr(line, last + 1)
}

# Redacts the passwords of URLs, even if they are not among the secrets.
function without_passwords(line,    out, colon) {
  while (match(line, /:\/\/[^\/:@ \t"'<>]*:[^\/@ \t"'<>]+@/)) {
    colon = RSTART + 2 + index(substr(line, RSTART + 3), ":")
    out = out substr(line, 1, colon) "***@"
    line = substr(line, RSTART + RLENGTH)
  }
  return out line
}

BEGIN {
  # busybox's awk may be built without the power operator.
  for (at = power[0] = 1; at < 32; at++) power[at] = power[at - 1] * 2
  alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  for (at = 1; at < 256; at++) ord[sprintf("%c", at)] = at
  number = split(ENVIRON["MASKED"], names, /[ \n]+/)
  for (each = 1; each <= number; each++) if (length(ENVIRON[names[each]]) >= 4) hide(ENVIRON[names[each]])
}

{
  for (at = 1; at <= count; at++) gsub(patterns[at], "***")
  print without_passwords(broken_count == 0 ? $0 : without_broken($0))
  fflush()
}
