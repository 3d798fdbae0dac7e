using Microsoft.Extensions.Options;

namespace TaskService.Configuration;

/// <summary>
/// Sections beside those of the service, one line each. They are read with all others, so that every problem is
/// reported at once and <c>--print-config</c> shows them.
/// </summary>
internal sealed class OtherSections(ConfigSection root)
{
    private readonly List<Action<IServiceCollection>> services = [];

    /// <summary>
    /// A section whose keys are the properties of a class, with hyphens. The class is there as <c>IOptions</c>,
    /// <c>IOptionsMonitor</c> and <c>IOptionsSnapshot</c>, one and the same object: nothing is bound during a request.
    /// Its attributes of <c>System.ComponentModel.DataAnnotations</c> are checked when it is read.
    /// </summary>
    public OtherSections Section<T>(string key)
        where T : class
    {
        if (OptionsReader.Read<T>(Open(key)).Options is { } options)
        {
            services.Add(services => services
                .AddSingleton<IOptionsFactory<T>>(provider => ActivatorUtilities
                    .CreateInstance<ReadOptionsFactory<T>>(provider, options))
                .AddOptions<T>().ValidateOnStart());
        }
        return this;
    }

    /// <summary>
    /// A section that other code reads from <c>builder.Configuration</c>. Its values are never shown.
    /// </summary>
    /// <param name="key">Its name.</param>
    /// <param name="reader">A service that is there when something reads it; null when that cannot be known.</param>
    public OtherSections Allow(string key, Type? reader = null)
    {
        var section = Open(key);
        if (section.Hidden().Count > 0 && reader is not null)
        {
            services.Add(services => services.AddOptions<ReadSection>(key)
                .Validate<IServiceProviderIsService>((_, known) => known.IsService(reader) ? true
                    : throw root.Failure(root.KeyOf(key), $"nothing reads it: there is no {reader.Name}"))
                .ValidateOnStart());
        }
        return this;
    }

    /// <summary>A section that is written over options of the framework.</summary>
    public OtherSections Configure<T>(string key)
        where T : class
    {
        var section = Open(key);
        if (section.Keys.Any())
        {
            var values = OptionsReader.Read<T>(section).Values;
            services.Add(services => services.Configure<T>(values));
        }
        return this;
    }

    /// <summary>Registers what the sections have become.</summary>
    public void AddTo(IServiceCollection collection) => services.ForEach(add => add(collection));

    private ConfigSection Open(string key) => root.Below(root.KeyOf(key)) is null
        ? root.Section(root.KeyOf(key))
        : throw new ArgumentException($"the section \"{key}\" is read already", nameof(key));

    /// <summary>What else is registered for the options, such as a validation, is done with the object.</summary>
    private sealed class ReadOptionsFactory<T>(
        T options,
        IEnumerable<IConfigureOptions<T>> setups,
        IEnumerable<IPostConfigureOptions<T>> postConfigures,
        IEnumerable<IValidateOptions<T>> validations) : OptionsFactory<T>(setups, postConfigures, validations)
        where T : class
    {
        protected override T CreateInstance(string name) => options;
    }

    private sealed class ReadSection;
}
