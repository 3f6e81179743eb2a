package githubsim

import "net/http"

func (s *Server) peopleRoutes(mux *http.ServeMux) {}
func (s *Server) writeRoutes(mux *http.ServeMux)  {}
func (s *Server) adminRoutes() *http.ServeMux     { return http.NewServeMux() }
