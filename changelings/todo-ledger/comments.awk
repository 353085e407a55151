# Finds the comments with a marker in the output of
#   git -c core.quotePath=false grep -n --heading --break -C <unlimited> ... HEAD
# and prints for each file that has any
#   file TAB <its path, encoded for printf %b> TAB <-L options for git blame>
#   comment TAB <line> TAB <marker> TAB <path as git prints it> TAB <path for a link> TAB <text>     (for each comment)
# A language is known by the file's name (or "#!"); of a file of another kind, only comments that begin their line count.
# Not a parser: it knows strings and comments, not regular expressions, here-documents or nested comments.
# For mawk, gawk, busybox and the one true awk: no {n} in expressions, and no "/" in brackets but in a string.

BEGIN {
  q = "\047"
  c = "// /* \" " q
  hash = "# \" " q
  family("c", c, "c cc cpp cxx h hh hpp hxx cs java kt kts scala go rs swift dart groovy gradle proto m mm zig v sv")
  family("c", c, "json5 jsonc glsl wgsl hlsl sol d vala thrift scss less sass adoc cu ino")
  family("js", c " `", "js jsx mjs cjs ts tsx mts cts")
  family("css", "/* \" " q, "css")
  family("php", c " #", "php phtml")
  family("vue", c " ` <!--", "vue svelte astro html htm xhtml")
  family("xml", "<!--", "xml xsl xsd svg md mdx markdown plist csproj props targets")
  family("py", "# \"\"\" " q q q " \" " q, "py pyi pyx bzl star")
  family("hash", hash, "sh bash zsh fish ksh rb rake pl pm r jl ex exs cr nim yml yaml toml conf cfg mk cmake tcl awk")
  family("hash", hash, "env coffee graphql gql dockerfile makefile gnumakefile gemfile rakefile vagrantfile justfile")
  family("hash", hash, "containerfile procfile brewfile properties just build workspace gn po")
  family("ps", "# <# \" " q, "ps1 psm1 psd1")
  family("hcl", c " #", "tf tfvars hcl nix")
  family("sql", "-- /* \" " q, "sql psql ddl adb ads")
  family("lua", "-- --[[ \" " q, "lua luau")
  family("hs", "-- {- \"", "hs elm purs idr")
  family("lisp", "; #| \"", "lisp el clj cljs cljc edn scm rkt asm s")
  family("tex", "%", "tex sty cls bib erl hrl")
  family("any", "# // /* -- ; % <!--", "")
  split("/* */ <!-- --> --[[ ]] {- -} <# #> #| |#", pair, " ")
  for (i = 1; i in pair; i += 2) closing[pair[i]] = pair[i + 1]
  for (i = 1; i < 128; i++) ordinal[sprintf("%c", i)] = i
  escaped["a"] = "\a"; escaped["b"] = "\b"; escaped["t"] = "\t"; escaped["n"] = "\n"; escaped["v"] = "\v"
  escaped["f"] = "\f"; escaped["r"] = "\r"; escaped["\""] = "\""; escaped["\\"] = "\\"
}

# A family of languages: the openers of its comments and strings, and its file name extensions (or whole file names).
function family(name, openers, names,   list, count, i, pattern, word) {
  count = split(names, list, " ")
  for (i = 1; i <= count; i++) family_of[list[i]] = name
  count = split(openers, list, " ")
  for (i = 1; i <= count; i++) {
    word = list[i]
    gsub(/./, "[&]", word)
    pattern = pattern (i > 1 ? "|" : "") word
  }
  opening[name] = pattern
}

# The path without git's C-style quotes.
function unquoted(path,   out, i, char) {
  if (substr(path, 1, 1) != "\"") return path
  path = substr(path, 2, length(path) - 2)
  while ((i = index(path, "\\")) > 0) {
    char = substr(path, i + 1, 1)
    out = out substr(path, 1, i - 1)
    if (char ~ /[0-7]/) {
      out = out sprintf("%c", char * 64 + substr(path, i + 2, 1) * 8 + substr(path, i + 3, 1))
      path = substr(path, i + 4)
    } else {
      out = out escaped[char]
      path = substr(path, i + 2)
    }
  }
  return out path
}

# The path with each special ASCII character replaced by its number, in this format.
function encoded(path, format,   out, i, char) {
  for (i = 1; i <= length(path); i++) {
    char = substr(path, i, 1)
    out = out ((char in ordinal) && char !~ "[A-Za-z0-9._/-]" ? sprintf(format, ordinal[char]) : char)
  }
  return out
}

function open_file(   name) {
  name = tolower(unquoted(quoted))
  sub(/.*\//, "", name)
  if (name ~ /^(cmakelists|requirements[^.]*)[.]txt$|^(dockerfile|makefile)[.]|^[.][^.]+$/) name = "conf"
  sub(/.*[.]/, "", name)
  language = name in family_of ? family_of[name] : "any"
  closer = ""
}

function close_file(   path, i) {
  if (count > 0) {
    path = unquoted(quoted)
    print "file\t" encoded(path, "\\0%03o") "\t" ranges
    for (i = 1; i <= count; i++) print "comment\t" found[i] "\t" quoted "\t" encoded(path, "%%%02X") "\t" words[i]
  }
  count = 0
  ranges = ""
}

# The comments of a line, each after a "\001"; `closer` is the end of the comment or string that is open, if any.
function commented(line,   out, at, token, before, previous, is_first) {
  is_first = 1
  while (line != "") {
    if (closer != "") {
      at = index(line, closer)
      if (is_comment) out = out "\001" (at ? substr(line, 1, at - 1) : line)
      if (!at) return out
      line = substr(line, at + length(closer))
      closer = ""
      is_first = 0
      continue
    }
    if (!match(line, opening[language])) return out
    token = substr(line, RSTART, RLENGTH)
    before = substr(line, 1, RSTART - 1)
    previous = substr(before, length(before), 1)
    if (language == "any" && !(is_first && before ~ /^[ \t]*$/)) return out
    line = substr(line, RSTART + RLENGTH)
    if (token in closing) {
      closer = closing[token]
      is_comment = 1
    } else if (token == "`" || length(token) == 3) {
      closer = token
      is_comment = token != "`" && is_first && before ~ /^[ \t]*[rRuU]?$/ # a docstring
    } else if (token == "\"" || token == q) {
      # A quote that is not closed on its line is an apostrophe.
      if (match(line, token == q ? "^([^" q "\\\\]|\\\\.)*" q : "^([^\"\\\\]|\\\\.)*\"")) line = substr(line, RLENGTH + 1)
    } else if (!(token == "//" && previous == ":") && !(token == "#" && language != "py" && previous !~ /^[ \t;&|()]?$/)) {
      # Neither the "//" of a URL nor the "#" inside a word.
      return out "\001" line
    }
    is_first = 0
  }
  return out
}

# Whether a marker is used, rather than quoted or a part of a name such as TODO-list.
function is_used(before, after) {
  if (after ~ "^[-/.][A-Za-z0-9_]" || before ~ "[A-Za-z0-9_][-/.]$") return 0
  return !(after ~ /^["`\047]/ && before ~ /["`\047]$/)
}

# Notes the first marker of a line's comments, with the words after it, cut at 160 bytes.
function note(line, comment,   marker, before) {
  comment = comment "\001"
  while (match(comment, /[^A-Za-z0-9_](FIXME|TODO|HACK|XXX)[^A-Za-z0-9_]/)) {
    marker = substr(comment, RSTART + 1, RLENGTH - 2)
    before = substr(comment, 1, RSTART)
    comment = substr(comment, RSTART + RLENGTH - 1)
    if (!is_used(before, comment)) continue
    sub(/\001.*/, "", comment)
    gsub(/[\001-\040\177]+/, " ", comment)
    sub(/^[ :!.-]+/, "", comment)
    sub(/ +$/, "", comment)
    if (length(comment) > 160) {
      comment = substr(comment, 1, 157)
      sub(/[\300-\377][\200-\277]*$/, "", comment) # perhaps only a part of a UTF-8 character
      comment = comment "..."
    }
    found[++count] = line "\t" marker
    words[count] = comment == "" ? "(no words)" : comment
    ranges = ranges " -L" line "," line
    return
  }
}

# Each file is a line with its name, its lines ("12:text" or "12-text"), and an empty line.
!is_reading { if (!/^HEAD:/) exit 1; quoted = substr($0, 6); open_file(); is_reading = 1; next }
$0 == "" { close_file(); is_reading = 0; next }
!match($0, /^[0-9]+[-:]/) { exit 1 }
{
  line = substr($0, 1, RLENGTH - 1)
  text = substr($0, RLENGTH + 1)
  if (line == 1 && language == "any" && text ~ /^#!/) language = text ~ /node|deno|bun/ ? "js" : "hash"
  comment = commented(text)
  if (comment != "") note(line, comment)
}
END { close_file() }
