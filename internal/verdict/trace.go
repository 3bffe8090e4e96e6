package verdict

import "spoor"

// webServerScript reads WEB_SERVER_SCRIPT: mail that some script sent under the
// UID that all sites share. It says less where the script writes to one
// recipient, as contact forms do, and nothing where it writes under its site's
// own sender.
func webServerScript(f *facts) reading {
	weight := (2 + 1.5*ramp(f.perMessage(), 1, 3)) *
		f.share(f.t.WebServer) * (1 - f.share(f.ownSenders())) * f.enough()
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight:   weight,
		count:    f.t.WebServer,
		text:     partOf(f.t.WebServer, f.t.Messages, "messages") + " were queued by a script that runs under the web server's UID",
		check:    f.recount(f.t.WebServer),
		evidence: firstOf(f.t.Evidence),
	}
}

// forgedTrace reads FORGED_TRACE: header fields that contradict what is proven
// of the message's way. Nobody does that by accident, so a quarter is enough. It
// quotes such fields and nothing else: the messages of the sample may be clean.
func forgedTrace(f *facts) reading {
	weight := 3 * ramp(f.share(f.t.Forged), 0, 0.25) * ramp(float64(f.t.Forged), 0, 4)
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight:   weight,
		count:    f.t.Forged,
		text:     partOf(f.t.Forged, f.t.Messages, "messages") + " carry header fields that contradict where they came from",
		check:    f.recount(f.t.Forged),
		evidence: append([]spoor.Evidence{}, f.t.Forgeries...),
	}
}

func firstOf(proof []spoor.Evidence) []spoor.Evidence {
	return proof[:min(len(proof), maxQuoted)]
}
