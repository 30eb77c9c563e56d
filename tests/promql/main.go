// Answers the queries of corpus.json with the engine of the Prometheus module that go.mod names.
//
// It reads corpus.json from the current folder and prints the answers, one per query and line, in the order of the corpus.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"sort"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

const module = "github.com/prometheus/prometheus"

// A series: samples at from, from+every, ...; null is a gap, "stale" the stale marker.
type corpusSeries struct {
	Labels map[string]string `json:"labels"`
	From   int64             `json:"from"`
	Every  int64             `json:"every"`
	Values []any             `json:"values"`
}

// A query for one time (at) or for several (from start to end by step), all in milliseconds.
type corpusQuery struct {
	Data    string `json:"data"`
	Query   string `json:"query"`
	At      *int64 `json:"at"`
	Start   int64  `json:"start"`
	End     int64  `json:"end"`
	Step    int64  `json:"step"`
	Ordered bool   `json:"ordered"`
}

type corpus struct {
	Data    map[string][]corpusSeries `json:"data"`
	Queries []corpusQuery             `json:"queries"`
}

// An element of an answer: labels, and times with values.
type element struct {
	Labels map[string]string `json:"labels"`
	Points [][2]any          `json:"points"`
}

type answer struct {
	Error    string    `json:"error,omitempty"`
	Message  string    `json:"message,omitempty"`
	Type     string    `json:"type,omitempty"`
	Text     string    `json:"text,omitempty"`
	Result   []element `json:"result,omitempty"`
	Warnings bool      `json:"warnings,omitempty"`
	Infos    bool      `json:"infos,omitempty"`
}

type sample struct {
	t int64
	f float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.f }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// memory is a storage of fixed series.
type memory []storage.Series

func (m memory) Querier(_, _ int64) (storage.Querier, error) { return querier{m}, nil }

type querier struct{ series memory }

func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	found := &seriesSet{at: -1}
	for _, series := range q.series {
		if matches(series.Labels(), matchers) {
			found.series = append(found.series, series)
		}
	}
	return found
}

func (querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errors.New("no query asks for label values")
}

func (querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errors.New("no query asks for label names")
}

func (querier) Close() error { return nil }

func matches(series labels.Labels, matchers []*labels.Matcher) bool {
	for _, matcher := range matchers {
		if !matcher.Matches(series.Get(matcher.Name)) {
			return false
		}
	}
	return true
}

type seriesSet struct {
	series []storage.Series
	at     int
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.series) }
func (s *seriesSet) At() storage.Series                { return s.series[s.at] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

func load(data []corpusSeries) (memory, error) {
	var series memory
	for _, described := range data {
		var samples []chunks.Sample
		for i, written := range described.Values {
			number, err := read(written)
			if err != nil {
				return nil, err
			}
			if number != nil {
				samples = append(samples, sample{described.From + int64(i)*described.Every, *number})
			}
		}
		series = append(series, storage.NewListSeries(labels.FromMap(described.Labels), samples))
	}
	sort.Slice(series, func(i, j int) bool { return labels.Compare(series[i].Labels(), series[j].Labels()) < 0 })
	return series, nil
}

func read(written any) (*float64, error) {
	switch written := written.(type) {
	case nil:
		return nil, nil
	case float64:
		return &written, nil
	case string:
		number := math.Float64frombits(value.StaleNaN)
		if written != "stale" {
			var err error
			if number, err = strconv.ParseFloat(written, 64); err != nil {
				return nil, err
			}
		}
		return &number, nil
	}
	return nil, fmt.Errorf("%v is no sample", written)
}

func points(series promql.Series) [][2]any {
	written := [][2]any{}
	for _, point := range series.Floats {
		written = append(written, [2]any{point.T, strconv.FormatFloat(point.F, 'g', -1, 64)})
	}
	return written
}

func write(result *promql.Result, ordered bool) answer {
	if result.Err != nil {
		return answer{Error: "execution", Message: result.Err.Error()}
	}
	written := answer{Type: string(result.Value.Type())}
	warnings, infos := result.Warnings.AsStrings("", 0, 0)
	written.Warnings, written.Infos = len(warnings) > 0, len(infos) > 0
	var matrix promql.Matrix
	switch got := result.Value.(type) {
	case promql.String:
		written.Text = got.V
	case promql.Scalar:
		matrix = promql.Matrix{{Floats: []promql.FPoint{{T: got.T, F: got.V}}}}
	case promql.Vector:
		for _, element := range got {
			matrix = append(matrix, promql.Series{Metric: element.Metric, Floats: []promql.FPoint{{T: element.T, F: element.F}}})
		}
	case promql.Matrix:
		matrix = got
	}
	if !ordered {
		sort.SliceStable(matrix, func(i, j int) bool { return labels.Compare(matrix[i].Metric, matrix[j].Metric) < 0 })
	}
	for _, series := range matrix {
		written.Result = append(written.Result, element{series.Metric.Map(), points(series)})
	}
	return written
}

func ask(engine *promql.Engine, series memory, asked corpusQuery) answer {
	ctx := context.Background()
	milliseconds := func(at int64) time.Time { return time.UnixMilli(at) }
	var query promql.Query
	var err error
	if asked.At != nil {
		query, err = engine.NewInstantQuery(ctx, series, nil, asked.Query, milliseconds(*asked.At))
	} else {
		step := time.Duration(asked.Step) * time.Millisecond
		query, err = engine.NewRangeQuery(ctx, series, nil, asked.Query, milliseconds(asked.Start), milliseconds(asked.End), step)
	}
	if err != nil {
		return answer{Error: "bad_data", Message: err.Error()}
	}
	defer query.Close()
	return write(query.Exec(ctx), asked.Ordered)
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return module + " " + dependency.Version
		}
	}
	return module + " of unknown version"
}

func run() error {
	text, err := os.ReadFile("corpus.json")
	if err != nil {
		return err
	}
	var asked corpus
	if err := json.Unmarshal(text, &asked); err != nil {
		return err
	}
	stores := map[string]memory{}
	for name, data := range asked.Data {
		if stores[name], err = load(data); err != nil {
			return err
		}
	}
	// As a Prometheus server without feature flags.
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples:               50_000_000,
		Timeout:                  time.Minute,
		LookbackDelta:            5 * time.Minute,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
		EnableAtModifier:         true,
		EnableNegativeOffset:     true,
		Parser:                   parser.NewParser(parser.Options{}),
	})
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintf(out, "{\"engine\": %q, \"answers\": [\n", version())
	for i, query := range asked.Queries {
		series, known := stores[query.Data]
		if !known {
			return fmt.Errorf("there is no data set %q", query.Data)
		}
		line, err := json.Marshal(ask(engine, series, query))
		if err != nil {
			return err
		}
		comma := ","
		if i+1 == len(asked.Queries) {
			comma = ""
		}
		fmt.Fprintf(out, "%s%s\n", line, comma)
	}
	fmt.Fprintln(out, "]}")
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
