{{- /* Values that the schema takes and that make no sense all the same, each with what to do. */ -}}
{{- define "checks" -}}
{{- $values := .Values -}}
{{- if not (regexMatch "^[a-z][a-z0-9-]*$" .Release.Name) }}{{ fail (printf "%s: is no name of a Service, which the release's name is; it begins with a letter and has letters, digits and - alone" .Release.Name) }}{{ end -}}
{{- if eq $values.image.tag "latest" }}{{ fail "image.tag: nothing can be rolled back to latest; give a version" }}{{ end -}}
{{- if and $values.serviceAccount.name $values.serviceAccount.roleArn }}{{ fail "serviceAccount.roleArn: belongs to the account of serviceAccount.name, which the chart does not make; leave it out" }}{{ end -}}
{{- if and $values.ipv6 (not (contains ":" $values.trustedCidr)) }}{{ fail (printf "trustedCidr: %s is no IPv6 network, and pods have no other address with ipv6" $values.trustedCidr) }}{{ end -}}
{{- $bits := ternary 128 32 (contains ":" $values.trustedCidr) -}}
{{- if gt (regexFind "[0-9]+$" $values.trustedCidr | int) $bits }}{{ fail (printf "trustedCidr: %s is no network; after the slash may be %d at most" $values.trustedCidr $bits) }}{{ end -}}
{{- with $values.autoscaling }}{{ if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{ fail (printf "autoscaling.minReplicas: %v is above maxReplicas, %v" .minReplicas .maxReplicas) }}
{{- end }}{{ end -}}
{{- $cpu := list ($values.resources.worker.requests | default dict).cpu ($values.resources.worker.limits | default dict).cpu -}}
{{- if and $values.autoscaling.enabled (not (compact $cpu)) -}}
{{ fail "resources.worker.requests.cpu: is missing, so autoscaling.cpuPercent is a share of nothing; add it, or set autoscaling.enabled: false" }}
{{- end -}}
{{- if and (eq $values.exposure.kind "gateway") (not $values.exposure.gateway.parentRefs) -}}
{{ fail "exposure.gateway.parentRefs: is empty; name the Gateway, [{name: …, namespace: …}]" }}
{{- end -}}
{{- if and $values.serviceMonitor.enabled $values.networkPolicy.enabled (not $values.networkPolicy.metricsFrom) -}}
{{ fail "networkPolicy.metricsFrom: is empty, so Prometheus cannot scrape; name who may, [{namespaceSelector: …}]" }}
{{- end -}}
{{- if and $values.secretFiles (not $values.secretName) -}}
{{ fail "secretFiles: secretName is empty; name the Secret that they are keys of" }}
{{- end -}}
{{- $settings := $values.settings | default dict -}}
{{- $needed := dict -}}
{{- if eq $values.transport "http" }}{{ $_ := set $needed "SESSION_KEY" "HTTP+SSE needs; add it, or set transport: streamable-http" }}{{ end -}}
{{- if eq $values.inboundAuth "token" }}{{ $_ := set $needed "INBOUND_TOKENS" "inboundAuth token needs; add it" }}{{ end -}}
{{- if eq $values.inboundAuth "jwt" }}{{ $_ := set $needed "INBOUND_JWT_ISSUERS" "inboundAuth jwt needs; add it to settings" }}{{ end -}}
{{- if or $values.secretFiles (not $values.secretName) -}}  {{- /* or all of them may be keys of the Secret */ -}}
{{- range $name, $why := $needed }}{{ if not (or (has $name $values.secretFiles) (hasKey $settings $name) (hasKey $settings (print $name "_FILE"))) -}}
{{ fail (printf "%s: %s is missing, which %s" (ternary "secretFiles" "secretName" (gt (len $values.secretFiles) 0)) $name $why) }}
{{- end }}{{ end -}}
{{- end -}}
{{- range $values.secretFiles }}{{ if or (hasKey $settings .) (hasKey $settings (print . "_FILE")) }}{{ fail (printf "settings.%s: is among secretFiles, too; leave one of them out" .) }}{{ end }}{{ end -}}
{{- range $name, $value := $values.settings -}}
{{- if has (trimSuffix "_FILE" $name) (include "fixed" $ | splitList " ") }}{{ fail (printf "settings.%s: the chart sets it; leave it out (its own value for it, if there is one, is in values.yaml)" $name) }}{{ end -}}
{{- if and (has $name (include "secret" $ | splitList " ")) (not (regexMatch "^(secretsmanager|ssm):" $value)) -}}
{{ fail (printf "settings.%s: is a secret; make it a key of the Secret %s, or name one, secretsmanager:ARN:KEY or ssm:NAME" $name ($values.secretName | default "of secretName")) }}
{{- end -}}
{{- if contains "-----BEGIN " $value }}{{ fail (printf "settings.%s: a key or certificate belongs into the Secret or into files" $name) }}{{ end -}}
{{- if and (eq $name "HTTP_PROXY_URL") (contains "@" $value) }}{{ fail (printf "settings.HTTP_PROXY_URL: has a login; make it a key of the Secret %s" ($values.secretName | default "of secretName")) }}{{ end -}}
{{- end -}}
{{- if $values.networkPolicy.enabled -}}
{{- $reached := dict "sharedState" $values.sharedState -}}
{{- $proxy := get $settings "HTTP_PROXY_URL" -}}
{{- $isFile := or (hasKey $settings "HTTP_PROXY_URL_FILE") (has "HTTP_PROXY_URL" $values.secretFiles) -}}
{{- if hasPrefix "http" $proxy -}}
{{- $reached = merge $reached (dict "settings.HTTP_PROXY_URL" $proxy) -}}
{{- else if not (or $isFile (eq $proxy "environment")) -}}
{{- $reached = merge $reached (dict "api.baseUrl" $values.api.baseUrl "api.specUrl" $values.api.specUrl) -}}
{{- range list "ALLOWED_SERVERS" "AUTH_OAUTH2_TOKEN_URL" "INBOUND_JWT_ISSUERS" }}{{ $_ := set $reached (print "settings." .) (get $settings .) }}{{ end -}}
{{- end -}}
{{- if contains "otlp" (get $settings "TRACING") -}}
{{- $collector := ternary "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" "OTEL_EXPORTER_OTLP_ENDPOINT" (hasKey $settings "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") -}}
{{- $_ := set $reached (print "settings." $collector) (get $settings $collector) -}}
{{- end -}}
{{- range $name, $urls := $reached }}{{ range $url := splitList "," ($urls | default "") }}{{ if and (contains "://" $url) (not (regexMatch "://(localhost|127[.]|\\[::1\\])" $url)) -}}
{{- $port := include "port" (trim $url) | int -}}
{{- if not (include "opened" (dict "port" $port "egress" $values.networkPolicy.egress)) }}{{ fail (printf "networkPolicy.egress: opens no port %d, which %s needs; add {ports: [{port: %d, protocol: TCP}]}" $port $name $port) }}{{ end -}}
{{- end }}{{ end }}{{ end -}}
{{- end -}}
{{- $folder := "/etc/openapi-mcp-server/" -}}
{{- $places := dict "api.specPath" $values.api.specPath -}}
{{- range $name, $value := $settings }}{{ $_ := set $places (print "settings." $name) $value }}{{ end -}}
{{- $own := list -}}
{{- range $values.extraVolumeMounts }}{{ $own = append $own (print (trimSuffix "/" .mountPath) "/") }}{{ end -}}
{{- range $of, $taken := dict "files" $folder "secretFiles" "/run/secrets/openapi-mcp-server/" -}}
{{- if and (get $values $of) (has $taken $own) }}{{ fail (printf "extraVolumeMounts: %s is the folder of %s; choose another one" $taken $of) }}{{ end -}}
{{- end -}}
{{- range $name, $value := $places }}{{ range splitList "," ($value | default "") }}{{ if and (hasPrefix $folder .) (not (has $folder $own)) -}}
{{- if not (hasKey ($values.files | default dict) (trimPrefix $folder .)) }}{{ fail (printf "%s: files has no %s; add it, or name another folder" $name (trimPrefix $folder .)) }}{{ end -}}
{{- end }}{{ end }}{{ end -}}
{{- $volumes := list -}}
{{- range $values.extraVolumes }}{{ $volumes = append $volumes .name }}{{ end -}}
{{- range $values.extraVolumeMounts }}{{ if not (has .name $volumes) }}{{ fail (printf "extraVolumeMounts: extraVolumes has no %s; add it" .name) }}{{ end }}{{ end -}}
{{- range $name, $value := include "selector" $ | fromYaml }}{{ if hasKey ($values.podLabels | default dict) $name }}{{ fail (printf "podLabels: %s is how the Service finds its pods; choose another name" $name) }}{{ end }}{{ end -}}
{{- range $values.extraVolumes -}}
{{- if has .name (list "proxy" "proxy-configuration" "proxy-cache" "proxy-run" "tls" "files" "secrets") }}{{ fail (printf "extraVolumes: %s is a volume of the chart; choose another name" .name) }}{{ end -}}
{{- $volume := . -}}
{{- range $kind, $_ := omit . "name" }}{{ if not (has $kind (include "volumes" $ | splitList " ")) -}}
{{ fail (printf "extraVolumes: %s is of the kind %s, which restricted Pod Security forbids; use one of %s" $volume.name $kind (include "volumes" $)) }}
{{- end }}{{ end -}}
{{- end -}}
{{- end -}}

{{- /* The port of a URL. Not by urlParse: with a wrong URL it ends everything and does not name the value. */ -}}
{{- define "port" -}}
{{- $origin := regexFind "^[a-z]+://[^/?#]*" . -}}
{{- $usual := dict "http" "80" "https" "443" -}}
{{- regexFind ":[0-9]+$" $origin | trimPrefix ":" | default (get $usual (regexFind "^[a-z]+" $origin)) | default "6379" -}}
{{- end -}}

{{- /* Some text if a rule of `egress` opens `port`, to whomever. A port with a name may be any. */ -}}
{{- define "opened" -}}
{{- $port := .port -}}
{{- range .egress }}{{ if not .ports }}everything{{ end }}{{ range .ports -}}
{{- if or (not .port) (kindIs "string" .port) (and (ge $port (int .port)) (le $port (int (.endPort | default .port)))) }}this{{ end -}}
{{- end }}{{ end -}}
{{- end -}}

{{- /* What restricted Pod Security allows. */ -}}
{{- define "volumes" -}}configMap csi downwardAPI emptyDir ephemeral persistentVolumeClaim projected secret{{- end -}}

{{- define "fixed" -}}
SERVER_HOST SERVER_PORT SERVER_TRANSPORT PROMETHEUS_PORT ENABLE_PROMETHEUS SESSION_ADDRESS INBOUND_AUTH API_NAME API_BASE_URL API_SPEC_URL API_SPEC_PATH ALLOWED_HOSTS TRUSTED_PROXIES SERVER_MESSAGE_TIMEOUT SHUTDOWN_LAME_DUCK_SECONDS SHUTDOWN_GRACE_SECONDS UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN UVICORN_GRACEFUL_SHUTDOWN SPEC_WAIT_SECONDS HTTP_MAX_CONNECTIONS SHARED_STATE_TASKS WORKERS
{{- end -}}

{{- define "secret" -}}
SESSION_KEY INBOUND_TOKENS SHARED_STATE AUTH_TOKEN AUTH_PASSWORD AUTH_API_KEY AUTH_OAUTH2_CLIENT_SECRET AUTH_OAUTH2_PRIVATE_KEY AUTH_COGNITO_CLIENT_SECRET AUTH_COGNITO_PASSWORD AUTH_SCHEMES SPEC_HEADERS OTEL_EXPORTER_OTLP_HEADERS OTEL_EXPORTER_OTLP_TRACES_HEADERS
{{- end -}}
