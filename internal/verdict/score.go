package verdict

import (
	"math"

	"spoor"
)

// The thresholds of the score, and how the confidence follows from it.
const (
	// SuspectScore is the score from which a source is suspect.
	SuspectScore = 2.5
	// SpamScore is the score from which a source is spam, if two families agree.
	SpamScore = 5.0

	// clearWeight is the weight from which a symbol counts for its family.
	clearWeight = 0.5
	// spamFamilies is how many families have to speak clearly for spam.
	spamFamilies = 2
	// sureSource is how sure it has to be that the mail is from the source before
	// it is called spam: nobody is blamed on a guess.
	sureSource = 0.7

	// slope and maxConfidence shape the confidence: it is 0.50 at SuspectScore,
	// 0.90 at SpamScore, 0.10 at a score of 0.
	slope         = 0.9
	maxConfidence = 0.99
	minConfidence = 0.01
)

// classify turns a score into a class. Bounces go to senders who may never have
// written, forwards pass on what came in, and the unknown is nobody: none of them
// is called spam. Nor is a source that may not be where the mail comes from.
func classify(t *spoor.Traffic, score float64, families int) spoor.Class {
	if score < SuspectScore {
		return spoor.Normal
	}
	if score < SpamScore || families < spamFamilies || blameless(t.Source.Kind) || t.Confidence < sureSource {
		return spoor.Suspect
	}
	return spoor.Spam
}

func blameless(kind spoor.Kind) bool {
	return kind == spoor.KindBounce || kind == spoor.KindForward || kind == spoor.KindUnknown
}

// families counts the families that hold a clearly positive symbol.
func families(reasons []spoor.Reason) int {
	seen := map[spoor.Family]bool{}
	for i := range reasons {
		if reasons[i].Weight >= clearWeight {
			seen[reasons[i].Family] = true
		}
	}
	return len(seen)
}

// confidence is the probability that the source sends spam:
//
//	1 / (1 + e^(-0.9 · (score - 2.5)))
//
// rounded to two digits and never certain. A source that reaches the score of
// spam without being called spam is held at what belongs to SpamScore.
func confidence(class spoor.Class, score float64) float64 {
	if class != spoor.Spam {
		score = min(score, SpamScore)
	}
	p := 1 / (1 + math.Exp(-slope*(score-SuspectScore)))
	return min(max(hundredths(p), minConfidence), maxConfidence)
}

// ramp rises from 0 where x is at most from, to 1 where x is at least to.
func ramp(x, from, to float64) float64 {
	return min(max((x-from)/(to-from), 0), 1)
}

// hundredths rounds to two digits: the weights that are shown add up to the
// score that is shown.
func hundredths(x float64) float64 { return math.Round(x*100) / 100 }
