// Kubernetes' own protobuf, for tests/test_protobuf.py.
package main

import (
	"bytes"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubejson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

var (
	asProtobuf = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	asJSON     = kubejson.NewSerializerWithOptions(kubejson.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, kubejson.SerializerOptions{})
)

// translate reads an object as JSON or as protobuf and writes it as both.
func translate(line json.RawMessage) (any, error) {
	var input struct {
		Object   json.RawMessage
		Protobuf []byte
	}
	if err := json.Unmarshal(line, &input); err != nil {
		return nil, err
	}
	var object runtime.Object
	var err error
	if input.Protobuf != nil {
		object, _, err = asProtobuf.Decode(input.Protobuf, nil, nil)
	} else {
		// Managed fields are kept by their bytes, spaces too.
		var compact bytes.Buffer
		if err := json.Compact(&compact, input.Object); err != nil {
			return nil, err
		}
		object, _, err = asJSON.Decode(compact.Bytes(), nil, nil)
	}
	if err != nil {
		return nil, err
	}
	var text, binary bytes.Buffer
	if err := asJSON.Encode(object, &text); err != nil {
		return nil, err
	}
	if err := asProtobuf.Encode(object, &binary); err != nil {
		return nil, err
	}
	return map[string]any{"object": json.RawMessage(text.Bytes()), "protobuf": binary.Bytes()}, nil
}

// frames writes watch events as a server streams them.
func frames(line json.RawMessage) (any, error) {
	var input struct {
		Events []struct {
			Type   string
			Object json.RawMessage
		}
	}
	if err := json.Unmarshal(line, &input); err != nil {
		return nil, err
	}
	raw := protobuf.NewRawSerializer(scheme.Scheme, scheme.Scheme)
	var stream bytes.Buffer
	writer := protobuf.LengthDelimitedFramer.NewFrameWriter(&stream)
	for _, event := range input.Events {
		object, _, err := asJSON.Decode(event.Object, nil, nil)
		if err != nil {
			return nil, err
		}
		var inner, outer bytes.Buffer
		if err := asProtobuf.Encode(object, &inner); err != nil {
			return nil, err
		}
		watched := &metav1.WatchEvent{Type: event.Type, Object: runtime.RawExtension{Raw: inner.Bytes()}}
		if err := raw.Encode(watched, &outer); err != nil {
			return nil, err
		}
		if _, err := writer.Write(outer.Bytes()); err != nil {
			return nil, err
		}
	}
	return map[string]any{"protobuf": stream.Bytes()}, nil
}
