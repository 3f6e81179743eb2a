package githubapp

import "time"

// minute counts points of the last minute by the second.
type minute struct {
	seconds [61]struct {
		at     int64
		points int
	}
}

func (m *minute) add(now time.Time, points int) {
	s := &m.seconds[now.Unix()%61]
	if s.at != now.Unix() {
		s.at, s.points = now.Unix(), 0
	}
	s.points += points
}

// room is when as many points fit below limit.
func (m *minute) room(now time.Time, points, limit int) time.Time {
	sum, first := points, now.Unix()-60
	for _, s := range m.seconds {
		if s.at >= first {
			sum += s.points
		}
	}
	if sum <= limit {
		return now
	}
	for at := first; at < now.Unix(); at++ {
		if s := m.seconds[at%61]; s.at == at {
			sum -= s.points
		}
		if sum <= limit {
			return time.Unix(at+61, 0)
		}
	}
	return time.Unix(now.Unix()+61, 0)
}
