package trace

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"spoor"
)

// Attribute names the source of one message, with its evidence and with what
// speaks against it.
func (t *Tracer) Attribute(m *spoor.Message) spoor.Attribution {
	r := t.rule(m)
	a := spoor.Attribution{Source: r.source, UID: r.uid, Confidence: r.confidence, Inferred: r.inferred(), Cause: r.cause, Script: r.stamp.script()}
	w := witness{tracer: t, message: m, attribution: &a}
	w.trail()
	w.envelope(r)
	w.owner(r)
	w.group(r)
	w.origin(r)
	w.claims(r)
	w.log(r)
	return a
}

// Name names the source of one message and how sure that is, without evidence:
// for lists of very many messages.
func (t *Tracer) Name(m *spoor.Message) spoor.Attribution {
	r := t.rule(m)
	return spoor.Attribution{Source: r.source, UID: r.uid, Confidence: r.confidence, Inferred: r.inferred(), Cause: r.cause, Script: r.stamp.script()}
}

// inferred reports whether the source rests on time, where no record shares a key
// with the message.
func (r *ruling) inferred() bool {
	return r.login != nil || r.flight != nil && (r.flight.via != nil || (r.flight.identified || r.flight.received) && r.flight.inferred)
}

// witness collects the evidence for one attribution.
type witness struct {
	tracer      *Tracer
	message     *spoor.Message
	attribution *spoor.Attribution
}

// fact makes evidence that stands in the message's file. line may be 0.
func (w *witness) fact(what, text string, line int) spoor.Evidence {
	return spoor.Evidence{What: what, ID: w.message.ID, File: w.message.Path(), Line: line, Text: text}
}

func (w *witness) prove(e spoor.Evidence) {
	w.attribution.Evidence = append(w.attribution.Evidence, e)
}

func (w *witness) object(e spoor.Evidence) {
	w.attribution.Conflicts = append(w.attribution.Conflicts, e)
}

// trail quotes the lines that the MTA wrote, newest first.
func (w *witness) trail() {
	t := &w.message.Trail
	for i := range t.Hops {
		hop := &t.Hops[i]
		if hop.Text != "" {
			w.prove(w.fact("received", hop.Text, hop.Line))
		}
		if hop.Record != "" {
			w.prove(w.fact("envelope", hop.Record, 0))
		}
		if hop.Via == spoor.ViaBounce && hop.Address != "" {
			w.prove(w.fact(notified(hop.Action), strings.TrimSuffix(hop.Address+": "+hop.Reason, ": "), 0))
		}
		if hop.Via == spoor.ViaReply && hop.Address != "" {
			w.prove(w.fact("replying-mailbox", hop.Address, 0))
		}
		if (hop.Via == spoor.ViaForward || hop.Via == spoor.ViaList) && hop.Address != "" && hop.Line > 0 {
			w.prove(w.fact("delivered-to", hop.Address, hop.Line+1))
		}
	}
	if t.Broken != "" {
		w.object(w.fact("trail", t.Broken, 0))
	}
}

// notified is the kind of fact that a notification tells of a recipient.
func notified(action string) string {
	switch action {
	case "", "failed":
		return "failed-recipient"
	case "delayed":
		return "delayed-recipient"
	}
	return "reached-recipient"
}

// envelope quotes the UID that qmail-queue wrote into the envelope.
func (w *witness) envelope(r ruling) {
	uid := w.message.CallerUID
	if uid < 0 {
		return
	}
	e := w.fact("envelope", "queued by uid "+strconv.Itoa(uid), 0)
	if r.conflict {
		e.Text += ", but the first line of the header says uid " + strconv.Itoa(r.uid)
		w.object(e)
		return
	}
	w.prove(e)
}

// owner quotes what says whose UID it is.
func (w *witness) owner(r ruling) {
	for _, e := range r.owner.Proof {
		w.prove(e)
	}
	switch {
	case r.uid >= 0 && r.owner.Role == spoor.RoleNobody && r.owner.Login == "":
		w.prove(spoor.Evidence{What: "passwd", File: "/etc/passwd", Text: fmt.Sprintf("no user has uid %d", r.uid)})
	case r.owner.Role == spoor.RoleWebServer:
		w.prove(spoor.Evidence{What: "role", File: "/etc/passwd", Text: r.owner.Login + " runs the web server: a script of one of the sites made this message"})
	case r.owner.Role == spoor.RoleSite && len(r.owner.Sites) > 1:
		w.prove(spoor.Evidence{What: "sites", Text: fmt.Sprintf("uid %d serves %d sites: %s", r.uid, len(r.owner.Sites), strings.Join(r.owner.Sites, ", "))})
	}
}

// log quotes what the mail log says of the message, and where it says otherwise.
func (w *witness) log(r ruling) {
	j, m := w.tracer.journal, w.message
	if r.login != nil {
		w.prove(w.tracer.quote("log-login", m.ID, r.login.place))
		w.prove(spoor.Evidence{What: "inference", ID: m.ID, Text: fmt.Sprintf(
			"%s had logged in from the client's address %s before the message came; header and log share no key, so this is inferred from time and address",
			r.source.Name, ago(m.Arrived.Sub(r.login.time.Time())))})
	}
	if f := r.flight; f != nil && f.login.Line > 0 {
		w.prove(w.tracer.quote("log-origin", m.ID, f.login))
		if f.identified && f.inferred {
			w.prove(spoor.Evidence{What: "inference", ID: m.ID, Text: "the line that names the user and the one of the message share neither a port nor a process: joined by time, since all connections of that moment were this user's"})
		}
	} else if f != nil && f.via != nil {
		w.prove(w.tracer.quote("log-login", m.ID, f.viaPlace))
	}
	if f := j.find(m); f != nil && f.logged {
		if f.webmail {
			w.prove(w.tracer.quote("log-webmail", m.ID, f.login))
		}
		w.compareUID(w.tracer.quote("log-accepted", m.ID, f.place), f)
	}
	w.compareLogin(r)
}

// ago writes an age; stamps in headers have whole seconds.
func ago(age time.Duration) string {
	if age < time.Second {
		return "less than a second"
	}
	return age.Round(time.Second).String()
}

// compareUID sets the UID in the log against the one in the header.
func (w *witness) compareUID(line spoor.Evidence, f *flight) {
	hops := w.message.Trail.Hops
	if len(hops) > 0 && hops[0].Via == spoor.ViaUID && int(f.uid) != hops[0].UID {
		line.Text += fmt.Sprintf(" (but the first line of the header says uid %d, which counts)", hops[0].UID)
		w.object(line)
		return
	}
	w.prove(line)
}

// compareLogin sets the account that the header proves against the one that the
// log saw log in from the same address.
func (w *witness) compareLogin(r ruling) {
	entry := w.message.Trail.Entry()
	if entry == nil || r.login != nil || r.source.Kind != spoor.KindAccount {
		return
	}
	found, sole := w.tracer.journal.loginBefore(entry.Client, spoor.StampOf(w.message.Arrived))
	switch {
	case found.account == nil:
	case found.account.source == r.source:
		w.prove(w.tracer.quote("log-login", w.message.ID, found.place))
	case sole:
		line := w.tracer.quote("log-login", w.message.ID, found.place)
		line.Text += " (but the header, which the server wrote, names " + r.source.Name + ": that is proof, a login by time is not)"
		w.object(line)
	}
}

// group says what the group of the file adds: qmail-queue is setuid and not
// setgid, so no header can forge it.
func (w *witness) group(r ruling) {
	m := w.message
	if m.CallerGID < 0 {
		return
	}
	text := fmt.Sprintf("the file has group %d", m.CallerGID)
	switch {
	case r.proof == proofGroup:
		w.prove(w.fact("group", text+", which is the primary group of "+r.owner.Login+" alone", 0))
	case r.groups == groupConfirms:
		w.prove(w.fact("group", text+", as the caller named in the first line must leave it", 0))
	case r.groups == groupContradicts:
		w.object(w.fact("group", text+", which is another user's: the first line counts, with less confidence", 0))
	case r.groups == groupSilent:
	}
}

// claims lists the header fields that anyone could have written. Those that
// contradict the proof speak against the source only in so far as they are
// forged or inherited.
func (w *witness) claims(r ruling) {
	w.attribution.Conflicts = append(w.attribution.Conflicts, w.tracer.forgeries(w.message, r)...)
	claims := w.message.Trail.Claims
	for i, claim := range claims {
		if w.tracer.contradicts(claims, i, r) || r.stamp != nil && claim.Line == r.stamp.line && claim.Field == originField {
			continue
		}
		text := claim.Field + ": " + claim.Value
		if uid, _, ok := phpClaim(claim); ok && r.uid >= 0 && uid != r.uid {
			text += fmt.Sprintf(" (the script belongs to uid %d, %s)", uid, cmp.Or(w.tracer.facts.Owner(uid).Login, "whom nobody knows"))
		}
		w.prove(w.fact("claim", text, claim.Line))
	}
}

// contradicts reports whether a claim names a UID that PHP did not write for the
// caller that is proven. PHP writes the owner of the script's file, whoever runs
// it (php_getuid() of pageinfo.c): where all sites run as the web server that is
// the site, and software that all of them share is root's. Of several such fields
// PHP's own is the first: a script writes its headers below it.
func (t *Tracer) contradicts(claims []spoor.Claim, i int, r ruling) bool {
	uid, _, ok := phpClaim(claims[i])
	if !ok || r.uid < 0 || uid == r.uid {
		return false
	}
	for _, above := range claims[:i] {
		if _, _, ok := phpClaim(above); ok {
			return true
		}
	}
	return r.owner.Role != spoor.RoleWebServer && uid != 0
}

// phpClaim reads X-PHP-Originating-Script: UID:basename, with or without a
// blank (PHP's mail.add_x_header).
func phpClaim(claim spoor.Claim) (uid int, script string, ok bool) {
	if claim.Field != "X-PHP-Originating-Script" {
		return 0, "", false
	}
	digits, script, found := strings.Cut(claim.Value, ":")
	uid, err := strconv.Atoi(strings.TrimSpace(digits))
	return uid, strings.TrimSpace(script), found && err == nil
}

// phpScriptURL reads the domain and path that cPanel's PHP writes:
//
//	X-PHP-Script: shop.example/wp/mailer.php for 203.0.113.7
func phpScriptURL(claim spoor.Claim) (url string, ok bool) {
	if claim.Field != "X-PHP-Script" {
		return "", false
	}
	url, _, ok = strings.Cut(claim.Value, " for ")
	return strings.TrimSpace(url), ok && strings.IndexByte(url, '/') > 0
}

// imitates reports whether a Received field below the entry pretends to be of
// this server's MTA. A webmail's own ("with HTTP") is none. Other servers run
// qmail too, so its words mean something only in mail that was written here.
// What a content filter handed back has this server's own line, with the ID that
// the message had before.
func (t *Tracer) imitates(m *spoor.Message, claim spoor.Claim, writtenHere bool) bool {
	if writtenHere && strings.HasPrefix(claim.Value, "(qmail ") {
		return true
	}
	_, by, ok := strings.Cut(claim.Value, "by "+t.facts.Host+" ")
	switch {
	case !ok || t.facts.Host == "" || strings.Contains(by, "HTTP"):
		return false
	case m.Earlier != "" && strings.Contains(by, string(m.Earlier)):
		return false
	}
	return strings.HasPrefix(by, "with ") || strings.HasPrefix(by, "(")
}

// wasHere reports whether the log knows a message under an ID before, which the
// queue does not name: a filter or another instance handed it over, and the server's
// lines in it are genuine.
func (t *Tracer) wasHere(m *spoor.Message) bool {
	if m.Earlier != "" && m.Earlier != m.ID { // its line can be told from others
		return false
	}
	f := t.journal.find(m)
	return f != nil && (f.goesOn || f.isCopy())
}

// wasHandedOver reports whether a server in front of the MTA took the message from a
// login, as the log tells: its line in the header is genuine.
func (t *Tracer) wasHandedOver(m *spoor.Message) bool {
	f := t.journal.find(m)
	return f != nil && f.proxied
}

// forgeries lists the traces in a message that contradict its proven one. Mail
// that went through a local delivery before carries this server's own old lines,
// so only what enters from outside, or from a site, can forge them.
func (t *Tracer) forgeries(m *spoor.Message, r ruling) []spoor.Evidence {
	w := witness{tracer: t, message: m}
	var list []spoor.Evidence
	if wrong := r.stamp.forgery(m); wrong != "" && r.owner.Role != spoor.RoleMailSystem {
		list = append(list, w.fact("forged", r.stamp.field()+" ("+wrong+")", r.stamp.line))
	}
	for i, claim := range m.Trail.Claims {
		if r.owner.Role != spoor.RoleMailSystem && t.contradicts(m.Trail.Claims, i, r) {
			text := fmt.Sprintf("%s: %s (but uid %d queued the message: forged or inherited)", claim.Field, claim.Value, r.uid)
			list = append(list, w.fact("claim", text, claim.Line))
		}
	}
	writtenHere := r.source.Kind == spoor.KindSite || r.owner.Role == spoor.RoleWebServer
	entry := m.Trail.Entry()
	passedOn := entry != nil && entry.Client.IsLoopback() // a filter or a list leaves this server's lines where they were
	submitted := r.source.Kind == spoor.KindAccount || r.source.Kind == spoor.KindNetwork && m.Outbound && !passedOn
	if !writtenHere && !submitted {
		return list
	}
	for i, claim := range m.Trail.Forgeable {
		if t.imitates(m, claim, writtenHere) {
			if t.wasHere(m) {
				break
			}
			if i == 0 && t.wasHandedOver(m) {
				continue
			}
			text := "Received: " + claim.Value + " (below the entry: this server did not write it)"
			list = append(list, w.fact("forged", text, claim.Line))
		}
	}
	return list
}
