package audit

import (
	"fmt"

	"spoor"
)

// judgement is what a kind of weakness means.
type judgement struct{ check, severity, text string }

// judge judges a setting. The text begins with what its subject does.
func judge(w *spoor.Weakness) judgement {
	switch w.Kind {
	case spoor.WeakOpenRelay:
		return judgement{CheckOpenRelay, high, "lets everybody send to every domain without authentication: an open relay"}
	case spoor.WeakForgeableRelay:
		return judgement{CheckOpenRelay, high, fmt.Sprintf(
			"lets clients relay without authentication because of their %s, which everybody can claim: an open relay for those who guess it", w.Value)}
	case spoor.WeakAnonymousLogin:
		return judgement{CheckOpenRelay, high, "allows anonymous logins, without a password: an open relay for whoever logs in as nobody"}
	case spoor.WeakNamedRelay:
		return judgement{CheckRelayList, medium, fmt.Sprintf(
			"lets clients relay without authentication because of their DNS name %s: whoever runs that domain, or its DNS, decides who sends from here", w.Value)}
	case spoor.WeakOutsideRelay:
		return judgement{CheckRelayList, medium, fmt.Sprintf("lets clients relay without authentication if %s says so: somebody else decides who sends from here", w.Value)}
	case spoor.WeakWholeNetworks:
		if w.Value == "class" {
			return judgement{CheckRelayList, high, "lets whole class A, B or C networks around this server's addresses relay without authentication: strangers at the same provider are among them"}
		}
		return judgement{CheckRelayList, medium, "lets every machine in the networks of this server's addresses relay without authentication: at a provider these are other customers"}
	case spoor.WeakHiddenLogin:
		return judgement{CheckSMTPLogin, low, "offers authentication to nobody, so whoever may send is on a list"}
	case spoor.WeakAcceptsUnknown:
		return judgement{CheckNonexistentUser, medium, "takes mail without verifying that the recipient exists; what cannot be delivered is bounced to whoever the sender is said to be: backscatter"}
	case spoor.WeakLimitsOff:
		return judgement{CheckLimitsOff, medium, fmt.Sprintf(
			"lets mail pass when %s does not answer: if that program ends, limits on outgoing mail are off and nobody is told", w.Value)}
	case spoor.WeakAnyoneSubmits:
		return judgement{CheckSubmitUsers, low, "every system user, and so the scripts of every site, may queue mail with sendmail; that is usual, and can be narrowed to those who need it"}
	case spoor.WeakCleartextLogin:
		return judgement{CheckSubmissionTLS, medium, fmt.Sprintf("takes passwords without TLS (%s): whoever sees the connection can send as that account", w.Value)}
	case spoor.WeakOpenEgress:
		text := "scripts of sites may speak SMTP to every server themselves, past queue, log and limits: no rule for users was found in "
		return judgement{CheckEgress, medium, text + w.Value}
	case spoor.WeakTrustedUser:
		return judgement{CheckSubmitUsers, medium, fmt.Sprintf("trusts %s, under which scripts of web sites run: they may name any sender, and the records of the MTA follow them", w.Value)}
	case spoor.WeakNoScriptNames:
		return judgement{CheckPHPMailHeader, medium, "PHP records neither in mail (mail.add_x_header) nor in a log (mail.log) which script sent it: scripts that send spam cannot be named from headers"}
	case spoor.WeakNoScriptHeader:
		return judgement{CheckPHPMailHeader, low, fmt.Sprintf("PHP does not write into mail which script sent it (mail.add_x_header); that can be found in the log %s only", w.Value)}
	}
	return judgement{"unknown", low, "has a weakness that is not known here: " + w.Kind.String()}
}

func weakness(w *spoor.Weakness) spoor.Finding {
	j := judge(w)
	return spoor.Finding{Check: j.check, Severity: j.severity, Subject: w.Subject, Text: j.text, Evidence: []spoor.Evidence{w.Place}}
}
