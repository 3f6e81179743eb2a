package webhook

import (
	"encoding/json"
	"net/http"
	"strings"
)

// refusal is an answer other than 202.
type refusal struct {
	status  int
	name    string
	message string
	// bare leaves the envelope away.
	bare  bool
	cause error
}

// names of errors in Backstage's envelope (contract catalog 4.2 and 5.6).
var names = map[int]string{
	http.StatusBadRequest:            "InputError",
	http.StatusUnauthorized:          "AuthenticationError",
	http.StatusMethodNotAllowed:      "MethodNotAllowedError",
	http.StatusRequestTimeout:        "RequestTimeoutError",
	http.StatusRequestEntityTooLarge: "PayloadTooLargeError",
	http.StatusUnsupportedMediaType:  "UnsupportedMediaTypeError",
	http.StatusServiceUnavailable:    "ServiceUnavailableError",
}

// invalidSignature has a body of its own (contract catalog 5.6).
var invalidSignature = &refusal{status: http.StatusForbidden, message: "invalid signature", bare: true}

func refuse(status int, message string) *refusal {
	return &refusal{status: status, name: names[status], message: message}
}

// because adds what is logged and not sent.
func (f *refusal) because(err error) *refusal {
	f.cause = err
	return f
}

func (f *refusal) Error() string {
	if f.cause != nil {
		return f.message + ": " + f.cause.Error()
	}
	return f.message
}

func (f *refusal) Unwrap() error { return f.cause }

type envelope struct {
	Error struct {
		Name    string `json:"name"`
		Message string `json:"message"`
	} `json:"error"`
	Request struct {
		Method string `json:"method"`
		URL    string `json:"url"`
	} `json:"request"`
	Response struct {
		StatusCode int `json:"statusCode"`
	} `json:"response"`
}

func (f *refusal) write(w http.ResponseWriter, r *http.Request) {
	if f.bare {
		writeJSON(w, f.status, map[string]string{"message": f.message})
		return
	}
	var e envelope
	e.Error.Name, e.Error.Message = f.name, f.message
	// The URL is relative to the plugin, which is mounted at /api/events.
	e.Request.Method, e.Request.URL = r.Method, strings.TrimPrefix(r.URL.RequestURI(), "/api/events")
	e.Response.StatusCode = f.status
	writeJSON(w, f.status, e)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // maps and structs of strings: it cannot be
		status, body = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone; nobody is left to tell
}
