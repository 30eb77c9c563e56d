{{/* Names and labels. */}}

{{- define "modelward.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of most objects. A release that has the chart's name in its own is not told twice. */}}
{{- define "modelward.fullname" -}}
{{- $name := include "modelward.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Cluster-scoped names carry the namespace too, so that two releases of one name do not meet. */}}
{{- define "modelward.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "modelward.fullname" .) }}
{{- end }}

{{- define "modelward.serviceAccountName" -}}
{{- default (include "modelward.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{/* What never changes in the life of a release. */}}
{{- define "modelward.selectorLabels" -}}
app.kubernetes.io/name: {{ include "modelward.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "modelward.labels" -}}
{{ include "modelward.selectorLabels" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "modelward.image" -}}
{{- $image := printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- with .Values.image.digest }}
{{- $image = printf "%s@%s" $image . }}
{{- end }}
{{- $image }}
{{- end }}

{{/*
What the operator may do: the requests that it makes, and nothing else. The same in a ClusterRole and in a Role.
No secrets, no pods but to look, no wildcard, no right to give rights. An apply that makes an object needs both `patch`
and `create`.
*/}}
{{- /* The operator's configuration file. */}}
{{- define "modelward.config" -}}
apiVersion: config.modelward.dev/v1alpha1
kind: OperatorConfiguration
{{- with .Values.metricProviders }}
metricProviders:
{{ toYaml . }}
{{- end }}
{{- with .Values.metricProfiles }}
metricProfiles:
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "modelward.rules" -}}
# What users wrote: looked at, and answered in status.
- apiGroups: [modelward.dev]
  resources: [models, modeldeployments]
  verbs: [list, watch]
- apiGroups: [modelward.dev]
  resources: [models/status, modeldeployments/status, rollbacks/status]
  verbs: [patch]
# Rollbacks of users are carried out; those that the operator makes are records of what it did.
- apiGroups: [modelward.dev]
  resources: [rollbacks]
  verbs: [list, watch, create, delete]
# The model servers. `get`: a Deployment is read after its scale; `update`: containers that others put in are taken out.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [update]
# The record of revisions. `get`: one that exists though it was not seen is looked at before anything is done about it.
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
# Whose turn it is: traffic, and how much of it may be disturbed.
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes, grpcroutes]
  verbs: [list, watch, create, patch, delete]
# Readiness.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# What was decided, told to people.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
