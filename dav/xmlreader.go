package dav

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
)

// errXML refuses a body that is not well-formed XML, or not the XML we read: no
// document type, no entities of its own, no undeclared prefix.
var errXML = bad("the body is not well-formed XML with namespaces")

// errDeep refuses a body nested beyond layers.Limits.XMLDepth.
var errDeep = bad("the body is nested too deeply")

// maxBindings bounds the namespace declarations in scope, and maxAttrs the
// attributes of an element: looking up a prefix walks through them.
const (
	maxBindings = 256
	maxAttrs    = 64
)

// xmlReader reads the XML of a request. It keeps its own stack of open elements
// over encoding/xml's raw tokens: that bounds the depth, checks what the raw
// tokens leave unchecked, and knows the prefixes in scope, which the value of a
// dead property must carry along.
type xmlReader struct {
	raw   *xml.Decoder
	deep  int // most open elements
	open  []openElement
	bound int // declarations in scope
	room  int // bytes that inner may still return
}

// openElement is one whose end has not come yet.
type openElement struct {
	tag      xml.Name // as written: prefix and local name
	name     xml.Name // resolved
	bindings []binding
	declared int    // how many of them it was read with
	lang     string // xml:lang in scope
}

// binding is a namespace declaration.
type binding struct{ prefix, uri string }

// newXMLReader reads body, nested at most deep elements.
func newXMLReader(body []byte, deep int) *xmlReader {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	return &xmlReader{raw: xml.NewDecoder(bytes.NewReader(body)), deep: deep, room: 4*len(body) + 1024}
}

// root reads up to the root element's start.
func (x *xmlReader) root() (xml.Name, error) {
	for {
		t, err := x.token()
		if err != nil {
			return xml.Name{}, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return x.top().name, nil
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return xml.Name{}, errXML
			}
		}
	}
}

// end reads what follows the root element.
func (x *xmlReader) end() error {
	for {
		t, err := x.raw.RawToken()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return errXML
		}
		switch t := t.(type) {
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errXML
			}
		case xml.Comment, xml.ProcInst:
		default:
			return errXML
		}
	}
}

// child reads up to the next child of the innermost open element, or past that
// element's end (ok is false then).
func (x *xmlReader) child() (name xml.Name, ok bool, err error) {
	for {
		t, err := x.token()
		if err != nil {
			return xml.Name{}, false, err
		}
		switch t.(type) {
		case xml.StartElement:
			return x.top().name, true, nil
		case xml.EndElement:
			return xml.Name{}, false, nil
		}
	}
}

// skip reads past the end of the innermost open element.
func (x *xmlReader) skip() error {
	for base := len(x.open); len(x.open) >= base; {
		if _, err := x.token(); err != nil {
			return err
		}
	}
	return nil
}

// inner reads past the end of the innermost open element and returns its
// content, with every prefix it uses declared inside. Comments are dropped. What
// would become much larger than the body (a long namespace, declared once outside
// and used by a hundred thousand children) is refused.
func (x *xmlReader) inner() (string, error) {
	var b []byte
	for base := len(x.open); ; {
		t, err := x.token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			b = x.appendStart(b, t, base)
		case xml.EndElement:
			if len(x.open) < base {
				x.room -= len(b)
				return string(b), nil
			}
			b = append(b, '<', '/')
			b = append(appendTag(b, t.Name), '>')
		case xml.CharData:
			b = appendText(b, string(t))
		}
		if len(b) > x.room {
			return "", errXML
		}
	}
}

// lang is the xml:lang in scope.
func (x *xmlReader) lang() string { return x.top().lang }

func (x *xmlReader) top() *openElement { return &x.open[len(x.open)-1] }

// token reads one token inside the document and keeps the stack.
func (x *xmlReader) token() (xml.Token, error) {
	t, err := x.raw.RawToken()
	if err != nil {
		return nil, errXML
	}
	switch t := t.(type) {
	case xml.StartElement:
		return t, x.push(t)
	case xml.EndElement:
		if len(x.open) == 0 || x.top().tag != t.Name {
			return nil, errXML
		}
		x.bound -= x.top().declared
		x.open = x.open[:len(x.open)-1]
	case xml.Directive:
		return nil, errXML
	}
	return t, nil
}

// push opens an element.
func (x *xmlReader) push(t xml.StartElement) error {
	if len(x.open) >= x.deep {
		return errDeep
	}
	e := openElement{tag: t.Name}
	if len(x.open) > 0 {
		e.lang = x.lang()
	}
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "xmlns":
			// Only the default namespace can be undeclared (Namespaces in XML 1.0, section 2.2).
			if a.Value == "" {
				return errXML
			}
			e.bindings = append(e.bindings, binding{a.Name.Local, a.Value})
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			e.bindings = append(e.bindings, binding{"", a.Value})
		case a.Name.Space == "xml" && a.Name.Local == "lang":
			e.lang = a.Value
		}
	}
	e.declared = len(e.bindings)
	if x.bound += e.declared; x.bound > maxBindings || len(t.Attr) > maxAttrs {
		return errXML
	}
	x.open = append(x.open, e)
	return x.resolve(t)
}

// resolve finds the namespace of the innermost element, and that its attributes have one.
func (x *xmlReader) resolve(t xml.StartElement) error {
	for _, a := range t.Attr {
		if a.Name.Space == "" || a.Name.Space == "xmlns" {
			continue
		}
		if _, _, ok := x.lookup(a.Name.Space); !ok {
			return errXML
		}
	}
	uri, _, ok := x.lookup(t.Name.Space)
	if !ok || strings.Contains(t.Name.Local, ":") {
		return errXML
	}
	x.top().name = xml.Name{Space: uri, Local: t.Name.Local}
	return nil
}

// lookup finds what prefix stands for, and the index of the open element that
// declares it (-1: nothing needs to).
func (x *xmlReader) lookup(prefix string) (uri string, at int, ok bool) {
	if prefix == "xml" {
		return "http://www.w3.org/XML/1998/namespace", -1, true
	}
	for i := len(x.open) - 1; i >= 0; i-- {
		for _, b := range x.open[i].bindings {
			if b.prefix == prefix {
				return b.uri, i, true
			}
		}
	}
	return "", -1, prefix == ""
}

// appendStart writes the start tag of the innermost element; base is how many
// elements are open around what is being written. A prefix declared out there
// is declared again here.
func (x *xmlReader) appendStart(b []byte, t xml.StartElement, base int) []byte {
	b = append(b, '<')
	b = appendTag(b, t.Name)
	for _, a := range t.Attr {
		b = append(b, ' ')
		b = appendTag(b, a.Name)
		b = append(b, '=', '"')
		b = appendAttr(b, a.Value)
		b = append(b, '"')
	}
	b = x.declare(b, t.Name.Space, base)
	for _, a := range t.Attr {
		if a.Name.Space != "" && a.Name.Space != "xmlns" {
			b = x.declare(b, a.Name.Space, base)
		}
	}
	return append(b, '>')
}

// declare writes the declaration of a prefix that comes from outside of base,
// and notes it on the innermost element, so that it is written once.
func (x *xmlReader) declare(b []byte, prefix string, base int) []byte {
	uri, at, _ := x.lookup(prefix)
	if at < 0 || at >= base || prefix == "" && uri == "" {
		return b
	}
	x.top().bindings = append(x.top().bindings, binding{prefix, uri})
	if prefix == "" {
		b = append(b, ` xmlns="`...)
	} else {
		b = append(b, ` xmlns:`...)
		b = append(b, prefix...)
		b = append(b, '=', '"')
	}
	return append(appendAttr(b, uri), '"')
}

// appendTag writes a name as it was written.
func appendTag(b []byte, n xml.Name) []byte {
	if n.Space != "" {
		b = append(b, n.Space...)
		b = append(b, ':')
	}
	return append(b, n.Local...)
}
