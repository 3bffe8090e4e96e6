package recorder

import (
	"cmp"
	"errors"
	"fmt"
	"os/user"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2"

	"spoor/internal/origin"
)

// ConfigPath is where limits stand, on a server.
const ConfigPath = "/etc/spoor/shim.toml"

// Over is what becomes of a message that is over a limit.
type Over string

// What may become of it, from mild to severe.
const (
	OverLog    Over = "log"    // it passes, and the record says so
	OverHold   Over = "hold"   // it is kept, and waits to be released
	OverRefuse Over = "refuse" // the sender is told no
)

func (o Over) severity() int {
	switch o {
	case OverLog:
		return 1
	case OverHold:
		return 2
	case OverRefuse:
		return 3
	}
	return 0
}

// Answer is what the sender of a message is told that is held.
type Answer string

// The answers. To a sender that is told to try again the message is not sent: if
// he does, with the very same message, it is not kept twice.
const (
	AnswerAccepted Answer = "accepted" // exit status 0
	AnswerLater    Answer = "later"    // 75, EX_TEMPFAIL of sysexits.h
)

// Config is the file of limits.
type Config struct {
	Limits []Rule `toml:"limit"`
	Hold   struct {
		Messages int   `toml:"messages"` // of one user; more are told to try later
		Bytes    int64 `toml:"bytes"`    // of one user
	} `toml:"hold"`
}

// Rule is one limit. With neither user, uid nor script it is for every user but
// root.
type Rule struct {
	User   string `toml:"user"`
	UID    *int   `toml:"uid"`
	Script string `toml:"script"` // a file, or a folder with all below it
	Limit  string `toml:"limit"`  // 200/h
	Over   Over   `toml:"over"`
	Answer Answer `toml:"answer"`

	count int
	per   time.Duration
}

// What is held at most, of one user, where the file does not say.
const (
	defaultHeldMessages = 10_000
	defaultHeldBytes    = 1 << 30
)

// ParseConfig reads the file. Nothing in it is passed over: an error names the line
// of what is not known.
func ParseConfig(text []byte) (*Config, error) {
	c := &Config{}
	d := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) {
			return nil, errors.New(strict.String())
		}
		var wrong *toml.DecodeError
		if errors.As(err, &wrong) {
			return nil, errors.New(wrong.String())
		}
		return nil, err
	}
	c.Hold.Messages = cmp.Or(c.Hold.Messages, defaultHeldMessages)
	c.Hold.Bytes = cmp.Or(c.Hold.Bytes, defaultHeldBytes)
	for i := range c.Limits {
		if err := c.Limits[i].check(); err != nil {
			return nil, fmt.Errorf("limit %d: %w", i+1, err)
		}
	}
	return c, nil
}

func (r *Rule) check() (err error) {
	if r.count, r.per, err = parseRate(r.Limit); err != nil {
		return err
	}
	if r.Over = cmp.Or(r.Over, OverLog); r.Over.severity() == 0 {
		return fmt.Errorf("over = %q: want log, hold or refuse", r.Over)
	}
	if r.Answer = cmp.Or(r.Answer, AnswerAccepted); r.Answer != AnswerAccepted && r.Answer != AnswerLater {
		return fmt.Errorf("answer = %q: want accepted or later", r.Answer)
	}
	if r.Script != "" {
		if !strings.HasPrefix(r.Script, "/") {
			return fmt.Errorf("script = %q: want a path from /", r.Script)
		}
		r.Script = path.Clean(r.Script)
	}
	if r.User == "" {
		return nil
	}
	if r.UID != nil {
		return errors.New("user and uid: want one of them")
	}
	known, err := user.Lookup(r.User)
	if err != nil {
		return fmt.Errorf("user = %q: there is no such user", r.User)
	}
	uid, err := strconv.Atoi(known.Uid)
	r.UID = &uid
	return err
}

// String names the limit, for people.
func (r *Rule) String() string {
	words := r.Limit
	switch {
	case r.User != "":
		words += " of user " + r.User
	case r.UID != nil:
		words += " of uid " + strconv.Itoa(*r.UID)
	case r.Script == "":
		words += " of each user"
	}
	if r.Script != "" {
		words += " by " + r.Script
	}
	return words
}

// parseRate reads 200/h: so many messages in a minute, an hour or a day.
func parseRate(text string) (count int, per time.Duration, err error) {
	number, unit, _ := strings.Cut(text, "/")
	switch unit {
	case "m":
		per = time.Minute
	case "h":
		per = time.Hour
	case "d":
		per = 24 * time.Hour
	}
	count, err = strconv.Atoi(number)
	if err != nil || count < 0 || per == 0 {
		return 0, 0, fmt.Errorf("limit = %q: want a number and m, h or d, such as 200/h", text)
	}
	return count, per, nil
}

// matches reports whether a rule is for a message, by facts alone.
func (r *Rule) matches(f *origin.Facts) bool {
	switch {
	case r.UID != nil && *r.UID != f.UID:
		return false
	case r.Script != "":
		return f.Script == r.Script || strings.HasPrefix(f.Script, strings.TrimSuffix(r.Script, "/")+"/")
	}
	return r.UID != nil || f.UID != 0
}

// counter counts messages for rules, per user. It remembers in memory alone: a
// recorder that starts anew begins at zero.
type counter struct {
	now func() time.Time

	mu     sync.Mutex
	spans  map[countKey]*span
	config *Config
}

type countKey struct{ rule, uid int }

// span counts in two windows that follow each other. What fell into the window
// before counts for the part of it that the last whole span covers.
type span struct {
	begin    time.Time
	before   int
	within   int
	refusals int
}

// use takes another configuration. Counts begin anew: rules have no names.
func (c *counter) use(config *Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.config, c.spans = config, map[countKey]*span{}
}

func (c *counter) held() (messages int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.config.Hold.Messages, c.config.Hold.Bytes
}

// needs reports whether a rule may be for a user, whatever his script.
func (c *counter) needs(f *origin.Facts) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.config.Limits {
		rule := &c.config.Limits[i]
		if rule.Script != "" && (rule.UID == nil || *rule.UID == f.UID) || rule.matches(f) {
			return true
		}
	}
	return false
}

// add counts a message, and returns the most severe of the rules that it is over,
// or nil.
func (c *counter) add(f *origin.Facts) *Rule {
	c.mu.Lock()
	defer c.mu.Unlock()
	var worst *Rule
	for i := range c.config.Limits {
		rule := &c.config.Limits[i]
		if rule.matches(f) && c.over(countKey{i, f.UID}, rule) && (worst == nil || rule.Over.severity() > worst.Over.severity()) {
			worst = rule
		}
	}
	return worst
}

// over counts one more. A message that is refused or held does not count: the
// limit is one of what is sent.
func (c *counter) over(key countKey, rule *Rule) bool {
	now := c.now()
	s := c.spans[key]
	if s == nil {
		if len(c.spans) >= maxUsers {
			clear(c.spans)
		}
		s = &span{begin: now}
		c.spans[key] = s
	}
	switch age := now.Sub(s.begin); {
	case age >= 2*rule.per || age < 0: // or the clock was set back
		*s = span{begin: now}
	case age >= rule.per:
		*s = span{begin: s.begin.Add(rule.per), before: s.within}
	}
	part := 1 - float64(now.Sub(s.begin))/float64(rule.per)
	if float64(s.before)*part+float64(s.within)+1 > float64(rule.count) {
		s.refusals++
		return true
	}
	s.within++
	return false
}
