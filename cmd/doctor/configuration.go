package doctor

import "strings"

// Configuration tells how reading the configuration went: every fault in a line.
func (r *Report) Configuration(files []string, err error) {
	s := r.about("configuration")
	if err == nil {
		s.ok("%s", strings.Join(files, ", "))
		return
	}
	for _, fault := range faults(err) {
		s.fail("", "%s", fault)
	}
}

// Credentials tells that integrations.github cannot be used at all.
func (r *Report) Credentials(err error) {
	r.about("integrations.github").fail("privateKey must be the PEM file of the App, for example {$file: key.pem}", "%s", err)
}

// faults takes a joined error apart.
func faults(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
