// Serves external.metrics.k8s.io/v1beta1 on loopback, so that a real autoscaler
// has metrics to read: the values of a JSON file, lists of quantities by metric,
// or those of a folder, one quantity in the file NAMESPACE/METRIC, read each time.
//
//	go run . VALUES
//
// Prints the port, and serves until it is killed. Its certificate is its own:
// whoever asks must not verify it.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"math/big"
	"net/http"
	"os"
	"strings"
	"time"
)

const group = "external.metrics.k8s.io/v1beta1"

type object = map[string]any

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: metrics VALUES")
	}
	values, err := source(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate()}})
	if err != nil {
		log.Fatal(err)
	}
	address := listener.Addr().String()
	fmt.Println(address[strings.LastIndex(address, ":")+1:])
	answer := func(writer http.ResponseWriter, request *http.Request) { serve(writer, request, values) }
	log.Fatal(http.Serve(listener, http.HandlerFunc(answer)))
}

// find gives the quantities of a metric in a namespace, none when it is unknown.
type find func(namespace, metric string) ([]string, bool)

func source(path string) (find, error) {
	about, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if about.IsDir() {
		root, err := os.OpenRoot(path)
		return func(namespace, metric string) ([]string, bool) {
			text, err := root.ReadFile(namespace + "/" + metric)
			return []string{string(text)}, err == nil
		}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	values := map[string][]string{}
	err = json.Unmarshal(text, &values)
	return func(_, metric string) ([]string, bool) {
		found, known := values[metric]
		return found, known
	}, err
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(24 * time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}
}

// serve answers /apis/GROUP/VERSION and /apis/GROUP/VERSION/namespaces/NAMESPACE/METRIC.
func serve(writer http.ResponseWriter, request *http.Request, values find) {
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	if len(parts) == 3 {
		reply(writer, 200, object{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": []any{}})
		return
	}
	if len(parts) != 6 {
		reply(writer, 404, status("404 page not found"))
		return
	}
	metric := parts[5]
	found, known := values(parts[4], metric)
	if !known {
		reply(writer, 404, status("the server could not find the metric "+metric+" for external metrics"))
		return
	}
	items := []object{}
	for _, value := range found {
		items = append(items, object{"metricName": metric, "metricLabels": object{}, "timestamp": time.Now().UTC().Format(time.RFC3339), "value": value})
	}
	reply(writer, 200, object{"kind": "ExternalMetricValueList", "apiVersion": group, "metadata": object{}, "items": items})
}

func status(message string) object {
	return object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": message}
}

func reply(writer http.ResponseWriter, code int, body object) {
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(code)
	if err := json.NewEncoder(writer).Encode(body); err != nil {
		log.Print(err)
	}
}
