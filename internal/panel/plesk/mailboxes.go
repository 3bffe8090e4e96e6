package plesk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"spoor"
)

// readMailboxes reads which mailboxes forward, and which answer by themselves. Up
// to Plesk 9 a mailbox had one target, in mail.redir_addr; since then the targets
// are in mail_redir.
func readMailboxes(ctx context.Context, t tables, place string, policy *spoor.MailPolicy) error {
	names, err := namesOf(ctx, t)
	if err != nil {
		return err
	}
	rows, err := t.read(ctx, "mail", 3, "id", "mail_name", "dom_id", "redirect", "redir_addr", "mail_group", "autoresponder")
	if errors.Is(err, errNoTable) {
		return nil
	}
	if err != nil {
		return err
	}
	addresses := map[int]string{}
	for _, r := range rows {
		domain, ok := names[r.id(2)]
		if !ok {
			continue
		}
		address := strings.ToLower(r[1].String) + "@" + domain
		addresses[r.id(0)] = address
		if r[3].String == "true" && r[4].String != "" {
			policy.Forwards = append(policy.Forwards, forwardOf(address, r[4].String, place, "mail.redir_addr"))
		}
		if r[6].String == "true" {
			policy.Answers = append(policy.Answers, spoor.Responder{Address: address, Place: spoor.Evidence{
				What: "psa", File: place, Text: fmt.Sprintf("mail: %s, autoresponder true", address),
			}})
		}
	}
	return readTargets(ctx, t, place, addresses, policy)
}

func readTargets(ctx context.Context, t tables, place string, addresses map[int]string, policy *spoor.MailPolicy) error {
	rows, err := t.read(ctx, "mail_redir", 3, "id", "mn_id", "address")
	if errors.Is(err, errNoTable) || errors.Is(err, errNoColumn) {
		return nil
	}
	for _, r := range rows {
		if address, ok := addresses[r.id(1)]; ok && r[2].String != "" {
			policy.Forwards = append(policy.Forwards, forwardOf(address, r[2].String, place, "mail_redir"))
		}
	}
	return err
}

func forwardOf(address, target, place, table string) spoor.Forward {
	return spoor.Forward{Address: address, Target: target, Place: spoor.Evidence{
		What: "psa", File: place, Text: fmt.Sprintf("%s: %s to %s", table, address, target),
	}}
}
