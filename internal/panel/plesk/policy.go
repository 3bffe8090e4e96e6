package plesk

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"spoor"
)

// MailPolicy reads the standing policy for mail from psa. Unasked is set where
// that cannot be reached: files that Plesk makes of it have to tell then. Columns
// with passwords are never read.
func (p *Panel) MailPolicy(ctx context.Context) (spoor.MailPolicy, error) {
	policy := spoor.MailPolicy{}
	server, err := p.findServer()
	place := server.place
	if err == nil {
		place, err = p.ask(ctx, server, func(t tables) error { return readPolicy(ctx, t, server.place, &policy) })
	}
	if ctx.Err() != nil {
		return policy, fmt.Errorf("read mail policy: %w", ctx.Err())
	}
	if err != nil {
		if !errors.Is(err, errNoServer) {
			policy.Gaps = append(policy.Gaps, spoor.Gap{File: place, Reason: "psa database could not be reached: " + err.Error(), Count: 1})
		}
		policy.Unasked = true
	}
	p.xinetd(&policy)
	return policy, nil
}

// readPolicy reads what psa has. Plesk links a domain's mail service to its
// parameters through parameters_id; that the numbers are often those of the
// domains is luck.
func readPolicy(ctx context.Context, t tables, place string, policy *spoor.MailPolicy) error {
	names, err := namesOf(ctx, t)
	if err != nil {
		return err
	}
	parameters, err := parametersOf(ctx, t)
	if err != nil {
		return err
	}
	services, err := t.read(ctx, "DomainServices", 3, "dom_id", "type", "parameters_id", "status")
	if err != nil {
		return err
	}
	for _, service := range services {
		name, ok := names[service.id(0)]
		if service[1].String != "mail" || !ok {
			continue
		}
		values := parameters[service.id(2)]
		d := domainPolicy(name, values["nonexist_mail"], values["catch_addr"])
		d.Text = values["bounce_mess"]
		d.Disabled = service[3].Valid && service.id(3) != 0
		d.Place = spoor.Evidence{What: "psa", File: place, Text: fmt.Sprintf(
			"domain %s, mail service with parameters_id %d: nonexist_mail %q, catch_addr %q", name, service.id(2), values["nonexist_mail"], values["catch_addr"])}
		policy.Domains = append(policy.Domains, d)
	}
	if err := readRelay(ctx, t, place, policy); err != nil {
		return err
	}
	if err := readMailboxes(ctx, t, place, policy); err != nil {
		return err
	}
	return readShort(ctx, t, place, policy)
}

func namesOf(ctx context.Context, t tables) (map[int]string, error) {
	rows, err := t.read(ctx, "domains", 2, "id", "name")
	names := map[int]string{}
	for _, r := range rows {
		names[r.id(0)] = strings.ToLower(r[1].String)
	}
	return names, err
}

// parametersOf reads the values that matter, by the ID of their set.
func parametersOf(ctx context.Context, t tables) (map[int]map[string]string, error) {
	rows, err := t.readSome(ctx, selection{
		table: "Parameters", required: 3, columns: []string{"id", "parameter", "value"}, where: "parameter IN ('nonexist_mail', 'catch_addr', 'bounce_mess')",
	})
	sets := map[int]map[string]string{}
	for _, r := range rows {
		if sets[r.id(0)] == nil {
			sets[r.id(0)] = map[string]string{}
		}
		sets[r.id(0)][r[1].String] = r[2].String
	}
	return sets, err
}

// domainPolicy reads a value of nonexist_mail. Without one, Plesk bounced on old
// versions, so that is what is assumed.
func domainPolicy(domain, value, target string) spoor.DomainPolicy {
	d := spoor.DomainPolicy{Domain: domain, Value: value, Target: target}
	switch value {
	case "reject":
		d.Policy = spoor.NonexistentReject
	case "discard":
		d.Policy = spoor.NonexistentDiscard
	case "catch":
		d.Policy = spoor.NonexistentForward
	case "bounce", "":
		d.Policy = spoor.NonexistentBounce
	}
	return d
}

// readRelay reads the clients that may relay: those without a lock time for
// ever, the others for a while (POP before SMTP).
func readRelay(ctx context.Context, t tables, place string, policy *spoor.MailPolicy) error {
	rows, err := t.read(ctx, "smtp_poplocks", 2, "ip_address", "ip_mask", "lock_time")
	if errors.Is(err, errNoTable) {
		policy.Gaps = append(policy.Gaps, spoor.Gap{File: place, Reason: "psa has no table smtp_poplocks: the relay list is not known", Count: 1})
		return nil
	}
	if err != nil {
		return err
	}
	for _, r := range rows {
		addr, err := netip.ParseAddr(strings.TrimSpace(r[0].String))
		bits := r.id(1)
		if err != nil || bits < 0 || bits > addr.BitLen() {
			policy.Gaps = append(policy.Gaps, spoor.Gap{File: place, Reason: "an entry of smtp_poplocks is no address range", Count: 1})
			continue
		}
		entry := spoor.RelayEntry{
			Prefix: netip.PrefixFrom(addr, bits).Masked(), Temporary: r[2].Valid && r[2].String != "",
			Place: spoor.Evidence{What: "psa", File: place, Text: fmt.Sprintf("smtp_poplocks: %s/%d", addr, bits)},
		}
		if until, err := time.ParseInLocation("2006-01-02 15:04:05", r[2].String, time.UTC); err == nil {
			entry.Until = until
		}
		policy.Relay = append(policy.Relay, entry)
	}
	return nil
}

// readShort reads whether logins without a domain are allowed.
func readShort(ctx context.Context, t tables, place string, policy *spoor.MailPolicy) error {
	rows, err := t.readSome(ctx, selection{
		table: "misc", required: 2, columns: []string{"param", "val"}, where: "param = 'allow_short_pop3_names'",
	})
	if errors.Is(err, errNoTable) {
		return nil
	}
	for _, r := range rows {
		if r[1].String == "enabled" || r[1].String == "true" {
			policy.Short = true
			policy.ShortPlace = spoor.Evidence{What: "psa", File: place, Text: "misc: allow_short_pop3_names " + r[1].String}
		}
	}
	return err
}

// maxConfFile bounds a file of xinetd, in bytes.
const maxConfFile = 16 << 10

// xinetd reads how the SMTP services are started.
func (p *Panel) xinetd(policy *spoor.MailPolicy) {
	for _, name := range [...]string{"smtp_psa", "smtps_psa", "submission_psa"} {
		file := "/etc/xinetd.d/" + name
		data, err := p.root.ReadFile(file, maxConfFile)
		if err != nil || !strings.Contains(string(data), "qmail-smtpd") {
			continue
		}
		policy.Services = append(policy.Services, xinetdService(name, file, string(data)))
	}
	data, err := p.root.ReadFile("/etc/inetd.conf", 1<<20)
	if err != nil {
		return
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		if line[0] == '#' || !strings.Contains(line, "qmail-smtpd") {
			continue
		}
		policy.Services = append(policy.Services, spoor.SMTPService{
			Name: strings.Fields(line)[0], RelayLock: strings.Contains(line, "relaylock"), RelayClient: strings.Contains(line, "RELAYCLIENT="),
			Place: spoor.Evidence{What: "inetd", File: "/etc/inetd.conf", Line: number, Text: strings.TrimSpace(line)},
		})
	}
}

// xinetdService reads a file of xinetd.conf(5).
func xinetdService(name, file, text string) spoor.SMTPService {
	s := spoor.SMTPService{Name: name, Place: spoor.Evidence{What: "xinetd", File: file}}
	number := 0
	for line := range strings.Lines(text) {
		number++
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		switch strings.TrimRight(strings.TrimSpace(key), "+-") {
		case "server_args", "server_args ":
			s.RelayLock = strings.Contains(value, "relaylock")
			s.Place.Line, s.Place.Text = number, strings.TrimSpace(line)
		case "env", "env ":
			if strings.Contains(value, "RELAYCLIENT") {
				s.RelayClient = true
				s.Place.Line, s.Place.Text = number, strings.TrimSpace(line)
				return s
			}
		}
	}
	return s
}
