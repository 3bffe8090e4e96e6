package live

import (
	"html"
	"slices"
	"strconv"
	"strings"
)

// apacheRow is one line of Apache's server-status with ExtendedStatus: a process
// or thread, and the request that it works on or has worked on last.
type apacheRow struct {
	pid    int
	mode   string // of the scoreboard: "W" sends a reply, "R" reads, "_" waits, …
	client string
	host   string // of the virtual host
	method string
	path   string
}

const maxRows = 10_000

// parseApacheStatus reads the table of workers of mod_status (server-status,
// Apache 2.2 and 2.4): its columns are found by their heads.
func parseApacheStatus(page string) []apacheRow {
	var rows []apacheRow
	var heads []string
	for _, cells := range tableRows(page) {
		if slices.Contains(cells, "PID") && slices.Contains(cells, "Request") {
			heads = cells
			continue
		}
		if row, ok := apacheRowOf(heads, cells); ok && len(rows) < maxRows {
			rows = append(rows, row)
		}
	}
	return rows
}

func apacheRowOf(heads, cells []string) (apacheRow, bool) {
	if len(heads) == 0 || len(cells) != len(heads) {
		return apacheRow{}, false
	}
	cell := func(head string) string {
		if i := slices.Index(heads, head); i >= 0 {
			return cells[i]
		}
		return ""
	}
	pid, err := strconv.Atoi(cell("PID"))
	if err != nil || pid <= 0 {
		return apacheRow{}, false
	}
	host, _, _ := strings.Cut(cell("VHost"), ":")
	method, rest, _ := strings.Cut(cell("Request"), " ")
	path, _, _ := strings.Cut(rest, " ")
	return apacheRow{
		pid: pid, mode: cell("M"), client: cell("Client"), host: cutText(host, 255),
		method: cutText(method, 32), path: cutText(withoutQuery(path), maxClaim),
	}, true
}

// tableRows are the rows of all tables of a page, as the text of their cells.
// What is between tags is escaped by the server, so a tag is a tag.
func tableRows(page string) [][]string {
	var rows [][]string
	for {
		_, rest, ok := strings.Cut(page, "<tr")
		if !ok || len(rows) > maxRows {
			return rows
		}
		row, after, ended := strings.Cut(rest, "</tr>")
		if !ended {
			return rows
		}
		page = after
		rows = append(rows, tableCells(row))
	}
}

// tableCells are the texts of <td> and <th>. Apache leaves </td> out in some
// versions, so a cell ends where the next begins.
func tableCells(row string) []string {
	var cells []string
	for row != "" {
		start := strings.Index(row, "<t")
		if start < 0 {
			break
		}
		_, rest, ok := strings.Cut(row[start:], ">")
		if !ok {
			break
		}
		end := strings.Index(rest, "<t")
		if end < 0 {
			end = len(rest)
		}
		cells = append(cells, strings.TrimSpace(html.UnescapeString(withoutTags(rest[:end]))))
		row = rest[end:]
	}
	return cells
}

func withoutTags(text string) string {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "<")
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		if _, text, ok = strings.Cut(rest, ">"); !ok {
			return out.String()
		}
	}
}

// busy reports whether the request of the row still runs.
func (r *apacheRow) busy() bool { return r.mode != "" && strings.Contains("WGL", r.mode[:1]) }

func (r *apacheRow) worker() Worker {
	return Worker{PID: r.pid, Server: "Apache", Asked: "Apache", Method: r.method, Path: r.path, Host: r.host, Client: r.client, Ended: !r.busy()}
}
