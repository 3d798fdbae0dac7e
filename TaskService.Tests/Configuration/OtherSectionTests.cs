using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Configuration;

/// <summary>Sections of a team's own, in the words of .NET.</summary>
public sealed class OtherSectionTests
{
    private const string Memory = "task-db: { memory: }\n";

    private const string Search = """
        search:
          page-size-max: 7
          timeout: 00:00:02
          Enabled: yes
          mode: read-only
          server: https://search.example.org/
          hosts: [a, b]
          labels: { my-key: x, mykey: y }
          retry: { attemptsMax: 3 }
          shards: [{ name: one }, { name: two, weight: 0.5 }]
          idx: main
          api-key: k3y
        """;

    private const string Described =
        "7 00:00:02 True ReadOnly https://search.example.org/ a,b my-key=x,mykey=y 3 one:1,two:0.5 main k3y";

    public static TheoryData<string, string[]> Problems => new()
    {
        { "search: { page-size-mx: 1 }",
            ["c.yaml:2: search.page-size-mx: unknown key (did you mean \"page-size-max\"?)"] },
        { "search:\n  page-size-max: many",
            ["c.yaml:3: search.page-size-max: must be a whole number from -2147483648 to 2147483647, not \"many\""] },
        { "search:\n  page-size-max: 101",
            ["c.yaml:3: search.page-size-max: The field page-size-max must be between 1 and 100."] },
        { "search: { enabled: maybe }", ["c.yaml:2: search.enabled: must be true or false, not \"maybe\""] },
        { "search: { timeout: 30 }", ["c.yaml:2: search.timeout: must be a time such as 00:00:30, not \"30\""] },
        { "search: { mode: readonli }",
            ["c.yaml:2: search.mode: must be one of a few names (did you mean \"ReadOnly\"?), not \"readonli\""] },
        { "search: { server: [a] }", ["c.yaml:2: search.server: must be a single value"] },
        { "search: { hosts: a }", ["c.yaml:2: search.hosts: must be a list, such as [a, b]"] },
        { "search: { retry: 3 }", ["c.yaml:2: search.retry: must be a mapping, such as { key: value }"] },
        { "search:\n  retry:\n    attempts-max: 0",
            ["c.yaml:4: search.retry.attempts-max: The field attempts-max must be between 1 and 9."] },
        { "search: { retry: { count: 1 } }",
            ["c.yaml:2: search.retry.count: unknown key (allowed: attempts-max)"] },
        { "search: { labels: { 'a:b': c } }",
            ["c.yaml:2: search.labels.a:b: must be a name without a colon, which separates levels in .NET"] },
        { "search:\n  shards:\n    - name: a\n    - nam: b",
            ["c.yaml:5: search.shards.1.name: The name field is required.",
             "c.yaml:5: search.shards.1.nam: unknown key (did you mean \"name\"?)"] },
        { "search: { page-size-max: 1, pageSizeMax: 2 }",
            ["c.yaml:2: search.pageSizeMax: is there already, as \"page-size-max\""] },
        { "search: { index: x }", ["c.yaml:2: search.index: unknown key (allowed: page-size-max, "] },
        { "search: { api-key: { a: s3cret } }", ["c.yaml:2: search.api-key: must be a single value"] },
        { "search: { pin-key: s3cret }",
            ["c.yaml:2: search.pin-key: must be a whole number from -2147483648 to 2147483647, not \"***\""] },
        { "search: 3\nservice: { port: x }\nsaerch: { x: 1 }",
            ["c.yaml:3: service.port: must be ", "c.yaml:2: search: must be a mapping",
             "c.yaml:4: saerch: unknown key (did you mean \"search\"?)"] },
        { "Kestrel: { Limits: { MaxRequestBodySize: 1 } }",
            ["c.yaml:2: Kestrel.Limits.MaxRequestBodySize: is \"http.body-bytes-max\" here"] },
        { "Kestrel: { Endpoints: { Http: { Url: 'http://*:1' } } }",
            ["c.yaml:2: Kestrel.Endpoints: is \"service.urls\" here"] },
        { "Kestrel: { Limits: { Http2: { MaxStreamsPerConnection: x } } }",
            ["c.yaml:2: Kestrel.Limits.Http2.MaxStreamsPerConnection: must be a whole number from "] },
        { "Kestrel: { Limits: { Http2: { MaxStreamsPerConnection: 0 } } }", ["c.yaml:2: Kestrel: "] },
        { "Kestrel: { AddServerHeader: true }",
            ["c.yaml:2: Kestrel.AddServerHeader: must be left out: no response has the header Server"] },
        { "Kestrel: { AllowSynchronousIOs: true }",
            ["c.yaml:2: Kestrel.AllowSynchronousIOs: unknown key (did you mean \"allow-synchronous-io\"?)"] },
    };

    [Theory]
    [MemberData(nameof(Problems), DisableDiscoveryEnumeration = true)]
    public void Every_problem_of_a_section_is_said_at_once_with_file_line_and_path(string yaml, string[] problems)
    {
        var error = Assert.Throws<ConfigException>(() => Read(Memory + yaml));
        Assert.Equal(problems.Length, error.Problems.Count);
        Assert.All(
            problems.Zip(error.Problems),
            pair => Assert.StartsWith(pair.First, pair.Second, StringComparison.Ordinal));
    }

    [Fact]
    public void A_section_of_a_record_must_be_there()
    {
        Assert.Equal("c.yaml:1: place: is missing", Assert.Single(ProblemsOfPlace("")));
        Assert.Matches("^c.yaml:2: place: .*'City'", Assert.Single(ProblemsOfPlace("place: { zip: 1 }")));
        Assert.Empty(ProblemsOfPlace("place: { zip: 1, city: x }"));

        static IReadOnlyList<string> ProblemsOfPlace(string yaml) => Record.Exception(() => Settings.Read(
            "c.yaml",
            Memory + yaml,
            new Dictionary<string, string>(),
            new CommandLineOptions(),
            settings => settings.Section<Place>("place"))) is ConfigException error ? error.Problems : [];
    }

    [Fact]
    public void A_section_that_no_line_names_stays_an_unknown_key() => Assert.Equal(
        "c.yaml:2: other: unknown key (allowed: service, http, logging, telemetry, operations, task-db, Kestrel,"
        + " search)",
        Assert.Single(Assert.Throws<ConfigException>(() => Read($"{Memory}other: {{ a: 1 }}")).Problems));

    [Fact]
    public async Task A_section_is_one_object_that_services_can_ask_for()
    {
        await using var app = await App.StartAsync(Search, settings => settings.Section<SearchOptions>("search"));
        var options = app.Services.GetRequiredService<IOptions<SearchOptions>>().Value;
        Assert.Equal(Described, Describe(options));
        Assert.Same(options, app.Services.GetRequiredService<IOptionsMonitor<SearchOptions>>().CurrentValue);
        using var scope = app.Services.CreateScope();
        Assert.Same(
            options, scope.ServiceProvider.GetRequiredService<IOptionsSnapshot<SearchOptions>>().Value);
    }

    [Fact]
    public async Task The_configuration_of_NET_has_all_settings_and_binds_names_with_hyphens()
    {
        var yaml = Search.Replace("yes", "true", StringComparison.Ordinal)
            .Replace("read-only", "readonly", StringComparison.Ordinal);
        string? early = null;
        await using var app = await App.StartAsync(yaml, settings => settings.Allow("search"), builder =>
        {
            early = builder.Configuration["service:address"];
            builder.Configuration["search:title"] = "set";
            builder.Services.AddOptions<SearchOptions>().BindConfiguration("search").ValidateOnStart();
        });
        Assert.Equal("127.0.0.1", early);
        var configuration = app.Services.GetRequiredService<IConfiguration>();
        Assert.Equal("127.0.0.1", configuration["Service:Address"]);
        Assert.Equal(["set", "a"], [configuration["search:title"], configuration["search:hosts:0"]]);
        Assert.Equal(["a", "b"], configuration.GetSection("search:hosts").Get<List<string>>()!);
        Assert.Equal("two", configuration["search:shards:1:name"]);
        Assert.Null(configuration["search:shards:2:name"]);
        Assert.Null(configuration["search:nothing"]);
        Assert.True(configuration.GetSection("search:retry").Exists());
        Assert.False(configuration.GetSection("nothing").Exists());
        Assert.Superset(
            new HashSet<string>(["http", "logging", "search", "service", "task-db"]),
            configuration.GetChildren().Select(child => child.Key).ToHashSet());
        Assert.Equal(Described, Describe(app.Services.GetRequiredService<IOptions<SearchOptions>>().Value));
    }

    [Fact]
    public async Task A_source_that_is_added_ranks_above_the_file_for_what_reads_the_configuration()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(
            directory.File("appsettings.json"), """{ "Search": { "PageSizeMax": 8 }, "More": { "A": 1 } }""");
        await using var app = await App.StartAsync(Search, settings => settings.Allow("search"), builder =>
            builder.Configuration.AddJsonFile(directory.File("appsettings.json")));
        var configuration = app.Services.GetRequiredService<IConfiguration>();
        Assert.Equal(
            ("8", "main", "1"),
            (configuration["search:PageSizeMax"], configuration["search:idx"], configuration["more:a"]));
    }

    [Fact]
    public void The_environment_ranks_above_the_file_for_a_section_as_well()
    {
        var (settings, source) = Read($"{Memory}search: {{ pageSizeMax: 5 }}",
            ("TASKSERVICE__SEARCH__PAGE_SIZE_MAX", "6"), ("TASKSERVICE__SEARCH__HOSTS", "a, b"),
            ("TASKSERVICE__SEARCH__RETRY__ATTEMPTS_MAX", "4"));
        var configuration = new ConfigurationBuilder().Add(settings.Source).Build();
        Assert.Equal("6", configuration["search:page-size-max"]);
        var printed = Print(source);
        Assert.Matches("(?m)^  pageSizeMax: 6 +# environment TASKSERVICE__SEARCH__PAGE_SIZE_MAX$", printed);
        Assert.Matches("(?m)^  hosts:\n    - a +# environment .*\n    - b ", printed);
        Assert.Matches("(?m)^    attempts-max: 4 +# environment ", printed);
    }

    [Fact]
    public void A_section_is_printed_with_its_sources_and_without_secrets_as_YAML_that_can_be_read_again()
    {
        var printed = Print(Read($"{Memory}{Search}\n  title: 'Host=h;Password=k3y'").Source);
        Assert.Matches("(?m)^  page-size-max: 7 +# c.yaml:3$", printed);
        Assert.Matches("(?m)^  api-key: \"\\*\\*\\*\" +# c.yaml:13$", printed);
        Assert.Matches("(?m)^  title: \"\\*\\*\\*\" +# c.yaml:14$", printed);
        Assert.Matches("(?m)^    -\n      name: two +# c.yaml:11\n      weight: 0.5 ", printed);
        Assert.DoesNotContain("k3y", printed, StringComparison.Ordinal);
        Assert.Equal(7, Bound(Read(printed).Settings).PageSizeMax);
        Assert.Equal("two", Bound(Read(printed).Settings).Shards[1].Name);
        var defaults = Print(Read(Memory).Source);
        Assert.Matches("(?m)^  page-size-max: 10 +# default$", defaults);
        Assert.Matches("(?m)^  timeout: \"00:00:01\" +# default$", defaults);
    }

    [Fact]
    public void A_section_that_other_code_reads_is_printed_without_its_values()
    {
        var printed = Print(Settings.Read(
            "c.yaml",
            $"{Memory}Serilog: {{ Using: [s3cret] }}",
            new Dictionary<string, string>(),
            new CommandLineOptions(),
            settings => settings.Allow("Serilog")).Source);
        Assert.Matches("(?m)^Serilog:\n  Using: \"\\*\\*\\*\" +# c.yaml:2$", printed);
    }

    [Fact]
    public async Task Authentication_schemes_read_their_section()
    {
        await using var app = await App.StartAsync(
            "Authentication: { Schemes: { Bearer: { ValidAudiences: [a, b] } } }",
            Program.AddSections,
            builder => builder.Services.AddAuthentication());
        var schemes = app.Services.GetRequiredService<IAuthenticationConfigurationProvider>();
        Assert.Equal(
            ["a", "b"], schemes.GetSchemeConfiguration("Bearer").GetSection("ValidAudiences").Get<List<string>>()!);
    }

    [Fact]
    public async Task Kestrel_reads_what_the_service_has_no_setting_for()
    {
        await using var app = await App.StartAsync("""
            Kestrel:
              AllowSynchronousIO: true
              Limits: { MaxResponseBufferSize: , Http2: { MaxStreamsPerConnection: 7, KeepAlivePingDelay: 00:01:00 } }
            """);
        var limits = app.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits;
        Assert.Equal(
            (7, 8192, null),
            (limits.Http2.MaxStreamsPerConnection, limits.MaxRequestLineSize, limits.MaxResponseBufferSize));
    }

    [Theory]
    [InlineData("search: { page-size-max: 101 }",
        "configuration: SearchOptions: DataAnnotation validation failed for 'SearchOptions' members: 'PageSizeMax' ")]
    [InlineData("search: { page-size-max: s3cret }",
        "configuration: search.PageSizeMax: must be a System.Int32")]
    [InlineData("search: { title: no }", "configuration: SearchOptions: A title must have three letters")]
    public async Task Options_that_do_not_validate_end_the_start_with_one_line_and_exit_code_78(
        string yaml, string line)
    {
        Exception? failure = null;
        Assert.Equal(78, await ExitCodes.GuardAsync(async () =>
        {
            try
            {
                await using var app = await App.StartAsync(
                    yaml, settings => settings.Allow("search"), builder => builder.Services
                        .AddOptions<SearchOptions>().BindConfiguration("search").ValidateDataAnnotations()
                        .Validate(options => options.Title != "no", "A title must have three letters")
                        .ValidateOnStart());
                return 0;
            }
            catch (Exception error)
            {
                failure = error;
                throw;
            }
        }));
        var problem = Assert.Single(ExitCodes.ConfigProblemsOf(failure!)!);
        Assert.StartsWith(line, problem, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_section_cannot_be_read_twice() => Assert.Throws<ArgumentException>(() => Settings.Read(
        "c.yaml", Memory, new Dictionary<string, string>(), new CommandLineOptions(), one => one.Allow("http")));

    [Fact]
    public async Task A_validation_of_a_team_counts_for_the_object_of_a_section()
    {
        var failure = await Record.ExceptionAsync(() => App.StartAsync(
            "search: { title: no }",
            settings => settings.Section<SearchOptions>("search"),
            builder => builder.Services.AddOptions<SearchOptions>()
                .Validate(options => options.Title != "no", "short")));
        Assert.Equal("configuration: SearchOptions: short", Assert.Single(ExitCodes.ConfigProblemsOf(failure!)!));
    }

    [Fact]
    public async Task A_section_that_nothing_reads_ends_the_start_of_a_process_with_one_line_and_78()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(
            directory.File("c.yaml"),
            $"{Memory}service: {{ port: 0 }}\nAuthentication: {{ Schemes: {{ A: s3cret }} }}");
        using var process = ServiceProcess.Start(directory.Path, "-c", "c.yaml");
        Assert.Equal(78, await process.ExitAsync());
        Assert.Equal(
            "c.yaml:3: Authentication: nothing reads it: there is no IAuthenticationSchemeProvider",
            Assert.Single(process.Errors));
        Assert.DoesNotContain(process.Output, line => line.Contains("s3cret", StringComparison.Ordinal));
    }

    private static string Describe(SearchOptions options) => FormattableString.Invariant(
        $"{options.PageSizeMax} {options.Timeout} {options.Enabled} {options.Mode} {options.Server} ")
        + $"{string.Join(',', options.Hosts)} "
        + $"{string.Join(',', options.Labels.OrderBy(one => one.Value).Select(one => $"{one.Key}={one.Value}"))} "
        + FormattableString.Invariant($"{options.Retry.AttemptsMax} ")
        + string.Join(',', options.Shards.Select(one => FormattableString.Invariant($"{one.Name}:{one.Weight}")))
        + $" {options.Index} {options.ApiKey}";

    private static SearchOptions Bound(Settings settings)
    {
        var services = new ServiceCollection();
        settings.Others.AddTo(services);
        using var provider = services.BuildServiceProvider();
        return provider.GetRequiredService<IOptions<SearchOptions>>().Value;
    }

    private static string Print(ConfigSection source)
    {
        using var output = new StringWriter();
        source.Print(output);
        return output.ToString().ReplaceLineEndings("\n");
    }

    private static (Settings Settings, ConfigSection Source) Read(
        string yaml, params (string Name, string Value)[] environment) => Settings.Read(
            "c.yaml",
            yaml,
            environment.ToDictionary(one => one.Name, one => one.Value),
            new CommandLineOptions(),
            settings => settings.Section<SearchOptions>("search"));

    private sealed record Place(int Zip, string City);

    /// <summary>The service with its container.</summary>
    private sealed class App(RunningService service, IServiceProvider services) : IAsyncDisposable
    {
        public IServiceProvider Services => services;

        public static async Task<App> StartAsync(
            string yaml,
            Func<OtherSections, OtherSections>? sections = null,
            Action<WebApplicationBuilder>? setup = null)
        {
            IServiceProvider? container = null;
            var service = await RunningService.StartAsync(
                logging: $"logging: {{ handlers: {{ console: {{ level: none }} }} }}\n{yaml}",
                setup: builder =>
                {
                    builder.Services.AddSingleton<IStartupFilter>(provider =>
                    {
                        container = provider;
                        return new Unchanged();
                    });
                    setup?.Invoke(builder);
                },
                sections: sections);
            return new App(service, container!);
        }

        public ValueTask DisposeAsync() => service.DisposeAsync();

        private sealed class Unchanged : IStartupFilter
        {
            public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => next;
        }
    }
}
