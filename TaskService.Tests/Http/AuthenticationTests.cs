using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>With <c>http.authentication</c> the API is closed to strangers, whatever they try.</summary>
public sealed class AuthenticationTests : IDisposable
{
    private const string Key = "s3cretCanary-of-reports";
    private const string Keys = $"authentication: api-keys, api-keys: {{ reports: {Key}, jobs: s3cretCanary-of-jobs }}";
    private const string OperationsSecret = "s3cretCanary-of-operators";
    private const string Quiet = "logging: { handlers: { console: { type: console, level: none } } }";
    private const string Operations = $"operations: {{ secret: {OperationsSecret} }}\n{Quiet}";

    private static readonly byte[] SigningKey = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    private static readonly string Jwt =
        $"authentication: {{ type: jwt, key: {Convert.ToBase64String(SigningKey)}, issuer: me, audience: tasks }}";

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("GET", "/tasks", 401, 200)]
    [InlineData("POST", "/tasks", 401, 400)]
    [InlineData("GET", "/tasks/none", 401, 404)]
    [InlineData("DELETE", "/tasks/none", 401, 404)]
    [InlineData("HEAD", "/tasks", 401, 200)]
    [InlineData("GET", "/nope", 401, 404)]
    [InlineData("GET", "/", 200, 200)]
    [InlineData("GET", "/health/live", 200, 200)]
    [InlineData("GET", "/health/ready", 200, 200)]
    [InlineData("GET", "/openapi.json", 200, 200)]
    [InlineData("GET", "/docs", 301, 301)]
    [InlineData("PUT", "/tasks", 405, 405)]
    [InlineData("OPTIONS", "/tasks", 204, 204)]
    public async Task Strangers_get_to_what_is_open_to_all_and_no_further(
        string method, string path, int stranger, int client)
    {
        await using var service = await RunningService.StartAsync(http: Keys);
        using var refused = await SendAsync(service, method, path);
        Assert.Equal(stranger, (int)refused.StatusCode);
        if (stranger == 401)
        {
            Assert.Equal("Bearer", $"{refused.Headers.WwwAuthenticate}");
            Assert.Equal("application/problem+json", $"{refused.Content.Headers.ContentType}");
            var body = await refused.Content.ReadAsStringAsync();
            Assert.True(method == "HEAD" || (string)JsonNode.Parse(body)!["message"]! == "Unauthorized");
        }
        foreach (var header in new[] { ("X-API-Key", Key), ("Authorization", $"Bearer {Key}") })
        {
            using var response = await SendAsync(service, method, path, header);
            Assert.Equal(client, (int)response.StatusCode);
        }
    }

    [Theory]
    [InlineData("X-API-Key", "s3cretCanary-of-nobody", "Bearer error=\"invalid_token\"")]
    [InlineData("X-API-Key", Key + " ", null)]
    [InlineData("X-API-Key", "S3CRETCANARY-of-reports", "Bearer error=\"invalid_token\"")]
    [InlineData("X-API-Key", "s3cretCanary-é", "Bearer error=\"invalid_token\"")]
    [InlineData("X-API-Key", "", "Bearer")]
    [InlineData("Authorization", $"Basic {Key}", "Bearer")]
    [InlineData("Authorization", Key, "Bearer")]
    [InlineData("Authorization", "Bearer ", "Bearer")]
    [InlineData("Authorization", $"bearer {Key}", null)]
    public async Task A_wrong_key_is_401_and_says_so(string header, string value, string? challenge)
    {
        await using var service = await RunningService.StartAsync(http: Keys);
        var answer = await service.SendRawAsync(Encoding.UTF8.GetBytes(
            $"GET /nope HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}: {value}\r\n\r\n"));
        Assert.StartsWith(challenge is null ? "HTTP/1.1 404 " : "HTTP/1.1 401 ", answer, StringComparison.Ordinal);
        var expected = challenge is null ? "\r\n" : $"\r\nWWW-Authenticate: {challenge}\r\n";
        Assert.Contains(expected, answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_canonical_line_has_the_user_and_no_output_a_key()
    {
        var log = directory.File("log");
        await using var service = await RunningService.StartAsync(http: Keys, debug: true, logging: $$"""
            telemetry: { exporters: { e: { type: json, path: '{{directory.File("events")}}', batch-delay-max-ms: 1 } } }
            logging:
              handlers: { f: { type: file, path: '{{log}}', level: trace, format: logfmt } }
              root: { level: trace, handlers: [f] }
            """);
        string[] keys = [Key, "s3cretCanary-of-jobs", "s3cretCanary-of-nobody", "s3cret", ""];
        foreach (var key in keys)
        {
            using var response = await SendAsync(service, "GET", $"/tasks/{key.Length}", ("X-API-Key", key));
            Assert.DoesNotContain("s3cret", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            Assert.DoesNotContain("s3cret", $"{response.Headers}", StringComparison.Ordinal);
        }
        var lines = await Until.ResultAsync(
            () => LogFiles.WholeLines(log).Where(IsResponse).ToArray() is { Length: 5 } some ? some : null, "lines");
        Assert.Equal(
            ["reports", "jobs", "", "", ""],
            lines.Select(LogfmtLine.Parse).Select(line => line.Keys.Contains("user") ? line["user"] : ""));
        var events = await Until.ResultAsync(
            () => LogFiles.WholeLines(directory.File("events")) is var some && some.Count(IsRequest) == 5 ? some : null,
            "the events");
        Assert.Contains("\"user\":\"reports\"", events.First(IsRequest), StringComparison.Ordinal);
        var all = string.Join('\n', LogFiles.WholeLines(log).Concat(events));
        Assert.DoesNotContain("s3cret", all, StringComparison.Ordinal);

        static bool IsRequest(string line) => line.Contains("\"type\":\"request\"", StringComparison.Ordinal);
        static bool IsResponse(string line) => line.Contains("message=\"RESPONSE\"", StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_of_keys_is_read_again_when_it_has_changed_and_kept_when_it_is_broken()
    {
        using var log = new LogFiles();
        var file = directory.File("keys");
        await File.WriteAllTextAsync(file, "# of today\n\nnights: s3cretCanary-of-nights\r\n");
        await using var service = await RunningService.StartAsync(
            http: $"{Keys}, api-keys-file: '{file}'", logging: log.Yaml);
        Assert.Equal("200 200 401", await StatusesAsync());
        await File.WriteAllTextAsync(file, "days: s3cretCanary-of-days");
        await Until.TrueAsync(async () => await StatusesAsync() == "200 401 200", "the new key");
        await File.WriteAllTextAsync(file, "days: s3cretCanary-of-days\ntoo short: s3cret");
        await Until.TrueAsync(
            async () => await StatusesAsync() == "200 401 200" && log.Read("brief").Any(IsReason), "the reason");
        Assert.DoesNotContain("s3cret", string.Join('\n', log.Read("brief")), StringComparison.Ordinal);

        bool IsReason(string line) => line.Contains($"{file}:2: a name has ", StringComparison.Ordinal);

        async Task<string> StatusesAsync()
        {
            var statuses = new List<int>();
            foreach (var name in new[] { "reports", "nights", "days" })
            {
                var key = $"s3cretCanary-of-{name}";
                using var response = await SendAsync(service, "GET", "/tasks", ("X-API-Key", key));
                statuses.Add((int)response.StatusCode);
            }
            return string.Join(' ', statuses);
        }
    }

    [Theory]
    [InlineData(null, "http.api-keys-file # cannot be read: no such file")]
    [InlineData("s3cretCanary", "#:1: must be \"name: key\"")]
    [InlineData("\na: s3cret", "#:2: a key must have at least 16 characters")]
    [InlineData("a: s3cretCanary-of-reports", "#:1: has the key of reports")]
    public async Task A_file_that_cannot_be_used_ends_the_start(string? text, string message)
    {
        var file = directory.File("keys");
        if (text is not null)
        {
            await File.WriteAllTextAsync(file, text);
        }
        var error = await Assert.ThrowsAnyAsync<IOException>(
            () => RunningService.StartAsync(http: $"{Keys}, api-keys-file: '{file}'"));
        Assert.Equal(message.Replace("#", file, StringComparison.Ordinal), error.Message);
    }

    [Theory]
    [InlineData("", 200, "ada")]
    [InlineData("long", 200, "128")]
    [InlineData("key", 401, "The signature ")]
    [InlineData("expired", 401, "The token expired at ")]
    [InlineData("audience", 401, "The audience")]
    [InlineData("issuer", 401, "The issuer 'other' is invalid")]
    [InlineData("unsigned", 401, "")]
    [InlineData("no token", 401, "")]
    public async Task A_token_is_taken_that_the_key_has_signed_for_this_service(string wrong, int status, string text)
    {
        using var log = new LogFiles();
        await using var service = await RunningService.StartAsync(http: Jwt, logging: log.Yaml);
        var token = wrong == "no token" ? "s3cretCanary" : Token(wrong);
        using var response = await SendAsync(service, "GET", "/tasks", ("Authorization", $"Bearer {token}"));
        Assert.Equal(status, (int)response.StatusCode);
        var lines = await log.LinesAsync("logfmt", 3);
        var line = LogfmtLine.Parse(lines[^1]);
        if (status == 401)
        {
            var challenge = $"{response.Headers.WwwAuthenticate}";
            Assert.StartsWith("Bearer error=\"invalid_token\"", challenge, StringComparison.Ordinal);
            Assert.Contains(text, challenge, StringComparison.Ordinal);
            Assert.DoesNotContain("user", line.Keys);
        }
        else
        {
            Assert.Equal(text, wrong == "long" ? $"{line["user"]!.Length}" : line["user"]);
        }
        Assert.DoesNotContain(token, string.Join('\n', lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_of_an_authority_is_checked_by_the_keys_that_it_publishes()
    {
        using var rsa = RSA.Create(2048);
        var key = new RsaSecurityKey(rsa) { KeyId = "one" };
        var parameters = rsa.ExportParameters(includePrivateParameters: false);
        await using var authority = await ObservedApp.StartAsync(addRoutes: routes =>
        {
            routes.MapGet("/.well-known/openid-configuration", (HttpContext http) => Results.Text($$"""
                {"issuer":"http://{{http.Request.Host}}","jwks_uri":"http://{{http.Request.Host}}/keys"}
                """));
            routes.MapGet("/keys", () => Results.Text($$"""
                {"keys":[{"kty":"RSA","kid":"one","n":"{{Base64UrlEncoder.Encode(parameters.Modulus)}}",
                "e":"{{Base64UrlEncoder.Encode(parameters.Exponent)}}"}]}
                """));
        });
        var url = authority.Address.GetLeftPart(UriPartial.Authority);
        await using var service = await RunningService.StartAsync(
            http: $"authentication: {{ type: jwt, authority: '{url}', audience: tasks }}");
        foreach (var (issuer, status) in new[] { (url, 200), ("http://other", 401) })
        {
            var token = new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
            {
                Issuer = issuer,
                Audience = "tasks",
                SigningCredentials = new SigningCredentials(key, SecurityAlgorithms.RsaSha256),
            });
            using var response = await SendAsync(service, "GET", "/tasks", ("Authorization", $"Bearer {token}"));
            Assert.Equal(status, (int)response.StatusCode);
        }
    }

    [Fact]
    [Trait("Suite", "integration")]
    public async Task A_token_of_dotnet_user_jwts_is_taken()
    {
        await File.WriteAllTextAsync(directory.File("some.csproj"), """
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <UserSecretsId>some</UserSecretsId>
              </PropertyGroup>
            </Project>
            """);
        await File.WriteAllTextAsync(directory.File("appsettings.Development.json"), "{}");
        await DotnetCommand.AssertRunsAsync(
            directory.Path, [("HOME", directory.Path), ("APPDATA", directory.Path)],
            "user-jwts", "create", "--name", "ada", "--audience", "tasks");
        var files = Directory.GetFiles(directory.Path, "*.json", SearchOption.AllDirectories);
        var tokens = JsonNode.Parse(await File.ReadAllTextAsync(files.Single(IsOf("user-jwts.json"))))!.AsObject();
        var token = (string)tokens.Single().Value!["Token"]!;
        var secrets = JsonNode.Parse(await File.ReadAllTextAsync(files.Single(IsOf("secrets.json"))))!;
        var key = (string)secrets["Authentication:Schemes:Bearer:SigningKeys"]![0]!["Value"]!;
        var scheme = JsonNode.Parse(await File.ReadAllTextAsync(files.Single(IsOf("appsettings.Development.json"))))!;
        scheme["Authentication"]!["Schemes"]!["Bearer"]!["SigningKeys"] =
            secrets["Authentication:Schemes:Bearer:SigningKeys"]!.DeepClone();
        (string Http, string Root)[] settings =
        [
            ($"authentication: {{ type: jwt, key: {key}, issuer: dotnet-user-jwts, audience: tasks }}", Quiet),
            // JSON is YAML.
            ("authentication: jwt", $"Authentication: {scheme["Authentication"]!.ToJsonString()}\n{Quiet}"),
        ];
        foreach (var (http, root) in settings)
        {
            await using var service = await RunningService.StartAsync(http: http, logging: root);
            using var response = await SendAsync(service, "GET", "/tasks", ("Authorization", $"Bearer {token}"));
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            using var other = await SendAsync(service, "GET", "/tasks", ("Authorization", $"Bearer {Token("")}"));
            Assert.Equal(HttpStatusCode.Unauthorized, other.StatusCode);
        }

        static Func<string, bool> IsOf(string name) => file => Path.GetFileName(file) == name;
    }

    [Fact]
    public async Task Operators_have_secrets_of_their_own()
    {
        await using var service = await RunningService.StartAsync(http: Keys, logging: Operations);
        (string Path, string Method, string? Secret, int Status)[] cases =
        [
            ("/ops/versions.json", "GET", OperationsSecret, 200), ("/ops/versions.json", "GET", Key, 403),
            ("/ops/versions.json", "GET", null, 401), ("/ops/versions.json", "DELETE", OperationsSecret, 405),
            ("/tasks", "GET", OperationsSecret, 401), ("/tasks", "GET", Key, 200),
        ];
        foreach (var (path, method, secret, status) in cases)
        {
            using var response = await SendAsync(service, method, path, ("X-API-Key", secret ?? ""));
            Assert.True(status == (int)response.StatusCode, $"{method} {path} {secret}: {response.StatusCode}");
        }
    }

    [Fact]
    public async Task The_only_scheme_of_a_team_stays_the_default_beside_operations()
    {
        await using var service = await RunningService.StartAsync(logging: Operations, setup: builder =>
        {
            builder.Services.AddAuthentication().AddJwtBearer(options =>
            {
                options.TokenValidationParameters.IssuerSigningKey = new SymmetricSecurityKey(SigningKey);
                options.TokenValidationParameters.ValidIssuer = "me";
                options.TokenValidationParameters.ValidAudience = "tasks";
            });
            builder.Services.AddAuthorizationBuilder().SetFallbackPolicy(
                new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build());
        });
        var token = ("Authorization", $"Bearer {Token("")}");
        using var taken = await SendAsync(service, "GET", "/tasks", token);
        Assert.Equal(HttpStatusCode.OK, taken.StatusCode);
        using var operators = await SendAsync(service, "GET", "/tasks", ("X-API-Key", OperationsSecret));
        Assert.Equal(HttpStatusCode.Unauthorized, operators.StatusCode);
        using var client = await SendAsync(service, "GET", "/ops/versions.json", token);
        Assert.Equal(HttpStatusCode.Forbidden, client.StatusCode);
    }

    [Fact]
    public async Task A_page_of_another_origin_needs_no_key_for_a_preflight_and_can_read_a_refusal()
    {
        const string Shop = "https://shop.example";
        await using var service = await RunningService.StartAsync(http: $"{Keys}, cors: {{ origins: [{Shop}] }}");
        using var preflight = await SendAsync(
            service, "OPTIONS", "/tasks", ("Origin", Shop), ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "x-api-key"));
        Assert.Equal(HttpStatusCode.NoContent, preflight.StatusCode);
        Assert.Equal("x-api-key", Assert.Single(preflight.Headers.GetValues("Access-Control-Allow-Headers")));
        using var refused = await SendAsync(service, "GET", "/tasks", ("Origin", Shop));
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Equal(Shop, Assert.Single(refused.Headers.GetValues("Access-Control-Allow-Origin")));
    }

    [Theory]
    [InlineData("api-keys", "ApiKeys", """{"type":"apiKey","in":"header","name":"X-API-Key"}""")]
    [InlineData("jwt", "Bearer", """{"type":"http","scheme":"bearer"}""")]
    public async Task The_document_has_the_scheme(string type, string scheme, string described)
    {
        await using var service = await RunningService.StartAsync(http: type == "jwt" ? Jwt : Keys);
        using var response = await SendAsync(service, "GET", "/openapi.json");
        var document = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal(described, document["components"]!["securitySchemes"]![scheme]!.ToJsonString());
        var get = document["paths"]!["/tasks"]!["get"]!;
        Assert.Equal($$"""[{"{{scheme}}":[]}]""", get["security"]!.ToJsonString());
        Assert.NotNull(get["responses"]!["401"]!["headers"]!["WWW-Authenticate"]);
        Assert.All(
            ["/", "/health/live", "/openapi.json"], path => Assert.Null(document["paths"]![path]!["get"]!["security"]));
    }

    private static string Token(string wrong)
    {
        byte[] key = wrong == "key" ? [.. Enumerable.Reverse(SigningKey)] : SigningKey;
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = wrong != "expired" }.CreateToken(
            new SecurityTokenDescriptor
            {
                Issuer = wrong == "issuer" ? "other" : "me",
                Audience = wrong == "audience" ? "other" : "tasks",
                Claims = new Dictionary<string, object> { ["sub"] = wrong == "long" ? new string('x', 500) : "ada" },
                Expires = wrong == "expired" ? DateTime.UnixEpoch.AddDays(1) : null,
                SigningCredentials = wrong == "unsigned" ? null : new SigningCredentials(
                    new SymmetricSecurityKey(key), SecurityAlgorithms.HmacSha256),
            });
    }

    // The document of a service that is open says nothing of 401.
    private static async Task<HttpResponseMessage> SendAsync(
        RunningService service, string method, string path, params (string Name, string Value)[] headers)
    {
        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false })
        {
            BaseAddress = service.Client.BaseAddress,
        };
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative));
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return await client.SendAsync(request);
    }
}
