using TaskService.Configuration;
using TaskService.Hosting;

namespace TaskService.Tests.Configuration;

/// <summary>The origins of <c>http.cors</c>, and what cannot be meant.</summary>
public sealed class CorsSettingsTests
{
    [Theory]
    [InlineData("origins: [https://a.example/]", "2: http.cors.origins: must hold origins such as https://shop.example "
        + "or http://localhost:3000, without anything behind, not \"https://a.example/\" (did you mean "
        + "\"https://a.example\"?)")]
    [InlineData("origins: [https://a.example/app]", "2: http.cors.origins: must hold origins such as ")]
    [InlineData("origins: ['https://a.example?x']", "2: http.cors.origins: must hold origins such as ")]
    [InlineData("origins: [a.example]", "2: http.cors.origins: must hold origins such as ")]
    [InlineData("origins: ['a.example:80']", "2: http.cors.origins: must hold origins such as ")]
    [InlineData("origins: ['https://']", "2: http.cors.origins: must hold origins such as ")]
    [InlineData("origins: ['null']", "2: http.cors.origins: must hold origins such as ")]
    [InlineData("origins: ['https://me:secret@a.example']", "2: http.cors.origins: must hold origins such as ")]
    [InlineData("origins: ['https://*.a.example']", "2: http.cors.origins: \"https://*.a.example\": there are no "
        + "wildcards; list each origin, or \"*\" alone for every one")]
    [InlineData("origins: ['*', https://a.example]", "2: http.cors.origins: \"*\" is every origin; it stands alone")]
    [InlineData("origins: ['*'], credentials: true", "2: http.cors.credentials: must be false where origins is ")]
    [InlineData("origins: https://a.example", "2: http.cors.origins: must be a list, such as [a, b]")]
    [InlineData("max-age-seconds: -1", "2: http.cors.max-age-seconds: must be a whole number from 0 to ")]
    [InlineData("origin: [a]", "2: http.cors.origin: unknown key (did you mean \"origins\"?)")]
    public void One_that_cannot_be_meant_is_a_problem(string cors, string problem)
    {
        var error = Assert.Throws<ConfigException>(() => Read(cors));
        Assert.StartsWith($"a.yaml:{problem}", Assert.Single(error.Problems), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_environment_separates_origins_by_commas()
    {
        var cors = Read("origins: [https://a.example]", new()
        {
            [$"{EnvironmentConfig.Prefix}HTTP__CORS__ORIGINS"] = "https://b.example, http://localhost:3000",
            [$"{EnvironmentConfig.Prefix}HTTP__CORS__CREDENTIALS"] = "true",
        });
        Assert.Equal(["https://b.example", "http://localhost:3000"], cors.Origins);
        Assert.True(cors.Credentials);
        Assert.Empty(Read("origins: [https://a.example]", new()
        {
            [$"{EnvironmentConfig.Prefix}HTTP__CORS__ORIGINS"] = "",
        }).Origins);
    }

    private static CorsSettings Read(string cors, Dictionary<string, string>? environment = null) => Settings.Read(
        "a.yaml",
        $"task-db: {{ memory: }}\nhttp: {{ cors: {{ {cors} }} }}",
        environment ?? [],
        new CommandLineOptions()).Settings.Http.Cors;
}
