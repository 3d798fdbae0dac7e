using System.Text.Json;

namespace TaskService.Acceptance;

/// <summary>
/// Requests to a service over HTTP, each of which asserts what holds for every response of it: the status, the media
/// type, that caches ask again, CORS, the shape of an error (RFC 9457 with the members of the tutorial) and the id.
/// </summary>
/// <remarks>Redirects are not followed, and bodies not decoded.</remarks>
internal sealed class ApiConnection : IDisposable
{
    public const string KeyHeader = "X-API-Key";
    private const string RequestId = "X-Request-ID";
    private const string ReadAfter = "X-Read-After";
    private const string ProblemType = "application/problem+json";

    private readonly HttpClient client;
    private readonly string baseUrl;
    private readonly string? origin;
    private readonly bool credentials;
    private readonly List<(string Name, string Value)> always = [];
    private string? position;

    /// <param name="baseUrl">The address in front of every path.</param>
    /// <param name="key">Sent in <c>X-API-Key</c>; null for none.</param>
    /// <param name="origin">
    /// Sent in <c>Origin</c>: every response must then allow it to read. Null for no CORS.
    /// </param>
    /// <param name="credentials">Whether it must be allowed to send credentials, too.</param>
    /// <param name="timeMax">For one response; null for 100 seconds.</param>
    public ApiConnection(
        Uri baseUrl, string? key = null, string? origin = null, bool credentials = false, TimeSpan? timeMax = null)
    {
        this.baseUrl = baseUrl.AbsoluteUri.TrimEnd('/');
        (this.origin, this.credentials) = (origin, credentials);
        client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false })
        {
            Timeout = timeMax ?? TimeSpan.FromSeconds(100),
        };
        if (key is not null)
        {
            always.Add((KeyHeader, key));
        }
        if (origin is not null)
        {
            always.Add(("Origin", origin));
        }
    }

    public Task<ApiResponse> GetAsync(
        string path, Expected? expected = null, params (string Name, string Value)[] headers) =>
        SendAsync(ApiRequest.Of("GET", path, null, headers), expected ?? 200);

    public Task<ApiResponse> HeadAsync(
        string path, Expected? expected = null, params (string Name, string Value)[] headers) =>
        SendAsync(ApiRequest.Of("HEAD", path, null, headers), expected ?? 200);

    public Task<ApiResponse> OptionsAsync(
        string path, Expected? expected = null, params (string Name, string Value)[] headers) =>
        SendAsync(ApiRequest.Of("OPTIONS", path, null, headers), expected ?? 204);

    public Task<ApiResponse> PostAsync(
        string path, string json, Expected? expected = null, params (string Name, string Value)[] headers) =>
        SendAsync(ApiRequest.Of("POST", path, json, headers), expected ?? 201);

    public Task<ApiResponse> PutAsync(
        string path, string json, Expected? expected = null, params (string Name, string Value)[] headers) =>
        SendAsync(ApiRequest.Of("PUT", path, json, headers), expected ?? 204);

    /// <summary>Sends a JSON merge patch (RFC 7396).</summary>
    public Task<ApiResponse> PatchAsync(
        string path, string json, Expected? expected = null, params (string Name, string Value)[] headers) =>
        SendAsync(
            ApiRequest.Of("PATCH", path, json, headers) with { ContentType = "application/merge-patch+json" },
            expected ?? 204);

    public Task<ApiResponse> DeleteAsync(
        string path, Expected? expected = null, params (string Name, string Value)[] headers) =>
        SendAsync(ApiRequest.Of("DELETE", path, null, headers), expected ?? 204);

    /// <summary>Sends a request and asserts its response.</summary>
    /// <exception cref="AcceptanceException">The response is another one, or there is none.</exception>
    public async Task<ApiResponse> SendAsync(ApiRequest request, Expected expected)
    {
        var response = await SendAsync(request);
        response.Require(
            expected.Statuses.Contains(response.Status),
            $"expected status {string.Join(" or ", expected.Statuses)}, was {response.Status}");
        response.Require(
            response.Header(RequestId) is { Length: > 0 } id && !id.Contains(',', StringComparison.Ordinal),
            $"expected one {RequestId}");
        RequireContentType(response, expected);
        var caching = response.Header("Cache-Control") ?? "none";
        response.Require(
            expected.MayBeCached || caching.Contains("no-cache", StringComparison.Ordinal)
                || caching.Contains("no-store", StringComparison.Ordinal),
            $"expected Cache-Control with no-cache or no-store, was {caching}");
        RequireCors(response);
        if (response.Status >= 400 && request.Method != "HEAD")
        {
            RequireProblem(response, expected.Message);
        }
        return response;
    }

    public void Dispose() => client.Dispose();

    private async Task<ApiResponse> SendAsync(ApiRequest request)
    {
        // A read of a client sees what it has changed, replicas or not.
        var headers = position is null ? always : [.. always, (ReadAfter, position)];
        using var message = request.ToMessage(baseUrl, headers);
        try
        {
            using var answer = await client.SendAsync(message);
            var response = new ApiResponse(
                request,
                (int)answer.StatusCode,
                answer.Headers.NonValidated.Concat(answer.Content.Headers.NonValidated).ToDictionary(
                    header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase),
                await answer.Content.ReadAsByteArrayAsync());
            position = response.Header(ReadAfter) ?? position;
            return response;
        }
        catch (Exception error) when (error is HttpRequestException or IOException or TaskCanceledException)
        {
            throw new AcceptanceException(
                $"{request.Method} {request.Path}: no response: {error.Message}", request.ToString());
        }
    }

    private static void RequireContentType(ApiResponse response, Expected expected)
    {
        // The response to a HEAD has the type of the body that a GET has.
        if (response.Bytes.Length == 0 && response.Request.Method != "HEAD")
        {
            response.RequireHeader("Content-Type", null);
            return;
        }
        var type = response.Status >= 400 ? ProblemType : expected.ContentType;
        var given = response.Header("Content-Type") ?? "none";
        response.Require(
            type is null || given.Split(';')[0].Trim().Equals(type, StringComparison.OrdinalIgnoreCase),
            $"expected Content-Type {type}, was {given}");
    }

    private void RequireCors(ApiResponse response)
    {
        if (origin is null)
        {
            return;
        }
        var allowed = response.Header("Access-Control-Allow-Origin");
        // With credentials an asterisk allows nothing (Fetch standard, CORS check).
        response.Require(
            allowed == origin || (allowed == "*" && !credentials),
            $"expected Access-Control-Allow-Origin: {origin}, was {allowed ?? "none"}");
        if (credentials)
        {
            response.RequireHeader("Access-Control-Allow-Credentials", "true");
        }
    }

    private static void RequireProblem(ApiResponse response, string? message)
    {
        var problem = response.Json;
        response.Require(problem.ValueKind == JsonValueKind.Object, "expected an object as problem");
        RequireText("type", "about:blank");
        RequireText("title", null);
        RequireNumber("status", response.Status);
        RequireText("method", response.Request.Method);
        RequireText("uri", response.Request.Path.Split('?')[0]);
        RequireNumber("code", response.Status);
        RequireText("message", message);
        RequireText("request_id", response.Header(RequestId));

        void RequireText(string name, string? value) => response.Require(
            problem.TryGetProperty(name, out var member) && member.ValueKind == JsonValueKind.String
                && (value ?? member.GetString()) == member.GetString(),
            $"expected a problem with {name} {value ?? "as text"}, was {Shown(name)}");

        void RequireNumber(string name, int value) => response.Require(
            problem.TryGetProperty(name, out var member) && member.ValueKind == JsonValueKind.Number
                && member.TryGetInt32(out var number) && number == value,
            $"expected a problem with {name} {value}, was {Shown(name)}");

        string Shown(string name) => problem.TryGetProperty(name, out var member) ? member.GetRawText() : "none";
    }
}
