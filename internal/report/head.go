package report

import "time"

// Head says which server an answer is about.
type Head struct {
	Root, Host string
	Time       time.Time // when the server was examined
	MTA, Panel string    // "" where not known
}

// headJSON is Head in every document, with the schema before it.
type headJSON struct {
	Schema string `json:"schema"`
	Root   text   `json:"root"`
	Host   text   `json:"host"`
	Time   string `json:"time"`
	MTA    text   `json:"mta"`
	Panel  text   `json:"panel"`
}

func (h *Head) json(schema string) headJSON {
	return headJSON{
		Schema: schema, Root: text(h.Root), Host: text(h.Host), Time: jsonTime(h.Time), MTA: text(h.MTA), Panel: text(h.Panel),
	}
}

// page starts the page of an answer.
func (h *Head) page(style Style) *page {
	p := &page{style: style, root: h.Root}
	p.server(h.Host, h.MTA, h.Panel, "root "+h.Root, style.moment(h.Time))
	return p
}
