using System.Globalization;
using TaskService.Configuration;
using TaskService.Hosting;

namespace TaskService.Tests.Configuration;

/// <summary><c>http.authentication</c> and <c>http.rate-limit</c>: their forms, and what cannot be meant.</summary>
public sealed class AuthenticationSettingsTests
{
    private const string Secret = "s3cretCanary-s3cretCanary";

    [Theory]
    [InlineData("", "None")]
    [InlineData("authentication: none", "None")]
    [InlineData("authentication: { type: none, authority: 'https://a.org' }", "None")]
    [InlineData($"authentication: none, api-keys: {{ a: {Secret} }}", "None")]
    [InlineData($"authentication: api-keys, api-keys: {{ a: {Secret} }}", "ApiKeys")]
    [InlineData($"authentication: {{ type: api-keys }}, api-keys: {{ a: {Secret} }}", "ApiKeys")]
    [InlineData("authentication: api-keys, api-keys-file: no-such-file", "ApiKeys")]
    [InlineData("authentication: { type: JWT, authority: 'https://a.example', audience: b }", "Jwt")]
    [InlineData("authentication: { type: jwt, authority: 'http://[::1]:1', audience: b }", "Jwt")]
    [InlineData("authentication: jwt }\nAuthentication: { Schemes: { Bearer: { ValidIssuer: a } }", "Jwt")]
    public void It_is_a_word_or_a_mapping(string http, string type) => Assert.Equal(type, $"{Read(http).Type}");

    [Theory]
    [InlineData("authentication: basic", "authentication.type: \"basic\" is not known (allowed: none, api-keys, jwt)")]
    [InlineData("authentication: { audience: a }", "authentication: is missing beside its settings: none, ")]
    [InlineData($"api-keys: {{ a: {Secret} }}", "authentication: is missing beside its settings: none, ")]
    [InlineData("api-keys-file: a", "authentication: is missing beside its settings: none, api-keys or jwt")]
    [InlineData("authentication: api-keys", "authentication.type: api-keys needs http.api-keys or http.api-keys-file")]
    [InlineData("authentication: api-keys, api-keys: { a: '' }", "authentication.type: api-keys needs http.api-keys ")]
    [InlineData("authentication: none, api-keys: { a: s3cretCanary }", "api-keys.a: a key must have at least 16 char")]
    [InlineData($"authentication: none, api-keys: {{ a: {Secret}é }}", "api-keys.a: a key must have visible ASCII ")]
    [InlineData($"authentication: none, api-keys: {{ a b: {Secret} }}", "api-keys.a b: a name has 1 to 64 characters")]
    [InlineData($"authentication: none, api-keys: {{ a: {Secret}, b: {Secret} }}", "api-keys.b: has the key of a")]
    [InlineData("authentication: jwt", "authentication.type: jwt needs authority and audience, or key, issuer and ")]
    [InlineData("authentication: { type: jwt, authority: 'https://a.org' }", "authentication.audience: is missing:")]
    [InlineData("authentication: { type: jwt, authority: 'http://a', audience: b }", "authentication.authority: must")]
    [InlineData("authentication: { type: jwt, key: s3cretCanary, issuer: a, audience: b }",
        "authentication.key: must be at least 32 bytes in base64, such as dotnet user-jwts key shows")]
    [InlineData("authentication: { type: jwt, key: AAAA, issuer: a, audience: b }", "authentication.key: must be at ")]
    [InlineData("authentication: { type: jwt, kye: a }", "authentication.kye: unknown key (did you mean \"key\"?)", 1)]
    [InlineData("rate-limit: { burst: 5 }", "rate-limit.requests-per-second: is missing beside burst")]
    [InlineData("rate-limit: { requests-per-second: -1 }", "rate-limit.requests-per-second: must be a number from 0 ")]
    [InlineData("rate-limit: { requests-per-second: 1000, burst: 99 }", "rate-limit.burst: must be at least 100: ")]
    [InlineData("rate-limit: { requests-per-second: 1, by: ip }", "rate-limit.by: \"ip\" is not known (allowed: ad")]
    public void One_that_cannot_be_meant_is_a_problem(string http, string problem, int others = 0)
    {
        var error = Assert.Throws<ConfigException>(() => Read(http));
        Assert.Equal(1 + others, error.Problems.Count);
        Assert.StartsWith($"a.yaml:2: http.{problem}", error.Problems[^1], StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_environment_names_clients_and_switches_over_a_word_and_over_a_mapping()
    {
        var keys = Read("authentication: none", ("API_KEYS__BATCH_JOB", Secret));
        Assert.Equal(("batch-job", 32), (keys.ApiKeys[0].Name, keys.ApiKeys[0].Hash.Length));
        Assert.Equal(AuthenticationType.None, keys.Type);
        Assert.Equal(
            AuthenticationType.ApiKeys,
            Read("authentication: none", ("AUTHENTICATION", "api-keys"), ("API_KEYS__A", Secret)).Type);
        Assert.Equal(
            AuthenticationType.ApiKeys,
            Read("authentication: none", ("AUTHENTICATION__TYPE", "api-keys"), ("API_KEYS__A", Secret)).Type);
        var jwt = "authentication: { type: jwt, authority: 'https://a', audience: b }";
        Assert.Equal(AuthenticationType.None, Read(jwt, ("AUTHENTICATION", "none")).Type);
    }

    [Fact]
    public void Secrets_are_not_printed()
    {
        var (_, source) = ReadAll(
            $"authentication: {{ type: jwt, key: {Convert.ToBase64String(new byte[32])}, issuer: i, audience: b }}, "
            + $"api-keys: {{ a: {Secret} }}, api-keys-file: f");
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        source.Print(output);
        Assert.DoesNotContain("s3cret", $"{output}", StringComparison.Ordinal);
        Assert.DoesNotContain("AAAA", $"{output}", StringComparison.Ordinal);
        Assert.Contains("    a: \"***\" ", $"{output}", StringComparison.Ordinal);
        Assert.Contains("    key: \"***\" ", $"{output}", StringComparison.Ordinal);
    }

    private static AuthenticationSettings Read(string http, params (string Name, string Value)[] environment) =>
        ReadAll(http, environment).Settings.Http.Authentication;

    private static (Settings Settings, ConfigSection Source) ReadAll(
        string http, params (string Name, string Value)[] environment) => Settings.Read(
        "a.yaml",
        $"task-db: {{ memory: }}\nhttp: {{ {http} }}",
        environment.ToDictionary(one => $"{EnvironmentConfig.Prefix}HTTP__{one.Name}", one => one.Value),
        new CommandLineOptions(),
        Program.AddSections);
}
