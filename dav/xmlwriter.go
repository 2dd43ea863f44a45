package dav

import "unicode/utf8"

const (
	xmlType = "application/xml; charset=utf-8"
	xmlHead = `<?xml version="1.0" encoding="utf-8"?>`
)

// appendText writes character data. What XML cannot say at all becomes U+FFFD.
func appendText(b []byte, s string) []byte { return appendEscaped(b, s, false) }

// appendAttr writes the value of an attribute in double quotes.
func appendAttr(b []byte, s string) []byte { return appendEscaped(b, s, true) }

func appendEscaped(b []byte, s string, attr bool) []byte {
	if plain(s) {
		return append(b, s...)
	}
	for i, r := range s {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '"' && attr:
			b = append(b, "&quot;"...)
		case r == '\r':
			b = append(b, "&#xD;"...) // a parser would make a line feed of it
		case r == '\n' && attr:
			b = append(b, "&#xA;"...)
		case r == '\t' && attr:
			b = append(b, "&#x9;"...)
		case r == utf8.RuneError, !xmlChar(r):
			b = append(b, "\ufffd"...)
		default:
			b = append(b, s[i:i+utf8.RuneLen(r)]...)
		}
	}
	return b
}

// plain tells whether s needs no care: most names and all numbers.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '&' || c == '<' || c == '>' || c == '"' {
			return false
		}
	}
	return true
}

// xmlChar is production 2 of XML 1.0.
func xmlChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xd7ff ||
		r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= 0x10ffff
}

// appendProp writes a property element of any namespace, with inner XML; DAV:
// and our own namespaces keep the prefixes that appendRoot declared.
func appendProp(b []byte, space, local, lang, inner string) []byte {
	prefix, declare := prefixOf(space)
	b = append(b, '<')
	b = append(append(b, prefix...), local...)
	if declare {
		b = append(b, ` xmlns:N="`...)
		b = append(appendAttr(b, space), '"')
	}
	if lang != "" {
		b = append(b, ` xml:lang="`...)
		b = append(appendAttr(b, lang), '"')
	}
	if inner == "" {
		return append(b, '/', '>')
	}
	b = append(append(b, '>'), inner...)
	b = append(append(b, "</"...), prefix...)
	return append(append(b, local...), '>')
}

// prefixOf is what an element of a namespace is written with, and whether it
// has to declare that. XML cannot bind a prefix to no namespace, so an element
// without one has none; no answer of ours has a default namespace.
func prefixOf(space string) (prefix string, declare bool) {
	switch space {
	case davNS:
		return "D:", false
	case varveNS:
		return "V:", false
	case ocNS:
		return "O:", false
	case "":
		return "", false
	case "http://www.w3.org/XML/1998/namespace":
		return "xml:", false
	}
	return "N:", true
}

// appendRoot opens a root element with the namespaces we write.
func appendRoot(b []byte, local string) []byte {
	b = append(b, xmlHead...)
	b = append(b, "<D:"...)
	b = append(b, local...)
	return append(b, ` xmlns:D="`+davNS+`" xmlns:V="`+varveNS+`" xmlns:O="`+ocNS+`">`...)
}

// appendStatus writes a status element of a multistatus.
func appendStatus(b []byte, status string) []byte {
	b = append(b, "<D:status>HTTP/1.1 "...)
	b = append(b, status...)
	return append(b, "</D:status>"...)
}
