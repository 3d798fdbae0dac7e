using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace TaskService.Configuration;

/// <summary>
/// Reads a section into an object: its properties are what is allowed, whose names are written with hyphens or as they
/// are. The values are checked here, so that each problem has its line, and bound by .NET.
/// </summary>
internal sealed class OptionsReader
{
    private readonly Dictionary<string, string?> values = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> wrong = new(StringComparer.OrdinalIgnoreCase);

    private OptionsReader()
    {
    }

    /// <summary>
    /// A section as an object, and its values by the names of the properties. Attributes of validation, also those of
    /// what it holds, count.
    /// </summary>
    /// <returns>Null for the object when there is a problem that keeps it from being made.</returns>
    public static (T? Options, IConfiguration Values) Read<T>(ConfigSection section)
        where T : class
    {
        var reader = new OptionsReader();
        var defaults = typeof(T).GetConstructor([]) is null ? null : Activator.CreateInstance<T>();
        reader.ReadObject(section, typeof(T), "", defaults, isSecret: false);
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(reader.values).Build();
        try
        {
            var options = configuration.Get<T>() ?? defaults;
            if (options is null)
            {
                section.Problem("", "is missing");
            }
            else
            {
                reader.Validate(section, options, "");
            }
            return (options, configuration);
        }
        catch (Exception error) when (error is InvalidOperationException or TargetInvocationException
            or ArgumentException or FormatException)
        {
            // A property that does not take a value, or a constructor whose parameters are not all there.
            if (reader.wrong.Count == 0)
            {
                section.Problem("", error.GetBaseException().Message);
            }
            return (null, configuration);
        }
    }

    private void ReadObject(ConfigSection section, Type type, string path, object? defaults, bool isSecret)
    {
        foreach (var property in Properties(type))
        {
            var name = NameOf(property);
            if (section.IsFormerName(name))
            {
                continue;
            }
            var key = section.KeyOf(name);
            foreach (var other in section.Keys.Where(one => one != key && ConfigSource.IsSameName(one, key)))
            {
                section.Allow(other);
                section.Problem(other, $"is there already, as \"{key}\"");
            }
            var fallback = defaults is null ? null : property.GetValue(defaults);
            ReadValue(section, key, property.PropertyType, path + name, fallback, isSecret);
        }
    }

    private void ReadValue(
        ConfigSection section, string key, Type type, string path, object? fallback, bool isSecret)
    {
        if (OptionValue.IsText(type))
        {
            ReadText(section, key, type, path, fallback, isSecret);
            return;
        }
        isSecret |= OptionValue.IsSecret(key, null);
        if (DictionaryValue(type) is { } valueType)
        {
            ReadItems(section.Section(key), valueType, path, isSecret);
        }
        else if (ListItem(type) is { } itemType)
        {
            ReadItems(section.List(key), itemType, path, isSecret);
        }
        else if (section.Find(key) is not null || (fallback is not null && type.GetConstructor([]) is not null))
        {
            ReadObject(section.Section(key), type, $"{path}:", fallback, isSecret);
        }
        else
        {
            section.Allow(key);
        }
    }

    private void ReadItems(ConfigSection level, Type type, string path, bool isSecret)
    {
        foreach (var name in level.Keys.ToList())
        {
            if (name.Contains(':', StringComparison.Ordinal))
            {
                level.Allow(name);
                level.Problem(name, "must be a name without a colon, which separates levels in .NET");
                continue;
            }
            ReadValue(level, name, type, $"{path}:{name}", null, isSecret);
            if (level.Below(name) is not null)
            {
                // One without any value is there as well.
                values.TryAdd($"{path}:{name}", "");
            }
        }
    }

    private void ReadText(
        ConfigSection section, string key, Type type, string path, object? fallback, bool isSecret)
    {
        if (section.Find(key) is ConfigScalar { Text: null } && Nullable.GetUnderlyingType(type) is not null)
        {
            section.Empty(key);
            values[path] = null;
        }
        else if (section.Convertible(key, type, fallback, isSecret) is { } text)
        {
            values[path] = text;
        }
        else if (section.Find(key) is not null)
        {
            wrong.Add(path);
        }
    }

    private void Validate(ConfigSection section, object options, string path)
    {
        foreach (var property in Properties(options.GetType()))
        {
            var (name, value) = (NameOf(property), property.GetValue(options));
            if (wrong.Contains(path + name))
            {
                continue;
            }
            var key = section.KeyOf(name);
            var results = new List<ValidationResult>();
            var attributes = property.GetCustomAttributes<ValidationAttribute>();
            var context = new ValidationContext(options) { MemberName = property.Name, DisplayName = key };
            if (property.IsDefined(typeof(RequiredMemberAttribute)) && section.Find(key) is null)
            {
                section.Problem(key, "is missing");
            }
            else
            {
                Validator.TryValidateValue(value!, context, results, attributes);
            }
            if (value is not null)
            {
                ValidateBelow(section, key, property.PropertyType, value, path + name);
            }
            results.ForEach(result => section.Problem(key, result.ErrorMessage ?? "is not valid"));
        }
        if (options is IValidatableObject own && wrong.Count == 0)
        {
            foreach (var result in own.Validate(new ValidationContext(options)))
            {
                var member = result.MemberNames.FirstOrDefault();
                var message = result.ErrorMessage ?? "is not valid";
                section.Problem(member is null ? "" : section.KeyOf(member), message);
            }
        }
    }

    private void ValidateBelow(ConfigSection section, string key, Type type, object value, string path)
    {
        if (section.Below(key) is not { } level)
        {
            return;
        }
        if (DictionaryValue(type) is null && ListItem(type) is null)
        {
            Validate(level, value, $"{path}:");
            return;
        }
        var items = value is IDictionary map
            ? map.Keys.Cast<object>().Select(name => ($"{name}", map[name]))
            : ((IEnumerable)value).Cast<object?>().Select((item, i) => ($"{i}", item));
        foreach (var (name, item) in items)
        {
            if (item is not null)
            {
                ValidateBelow(level, name, item.GetType(), item, $"{path}:{name}");
            }
        }
    }

    /// <summary>What .NET can bind: what it can set, and what has members of its own.</summary>
    private static IEnumerable<PropertyInfo> Properties(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(one => one.GetMethod is { IsPublic: true } && one.GetIndexParameters().Length == 0
                && !typeof(Delegate).IsAssignableFrom(one.PropertyType))
            .Where(one => OptionValue.IsText(one.PropertyType)
                ? one.SetMethod is { IsPublic: true } || type.GetConstructor([]) is null
                : DictionaryValue(one.PropertyType) is not null || ListItem(one.PropertyType) is not null
                    || (one.PropertyType is { IsAbstract: false } below
                        && (below.IsValueType || below.GetConstructors().Length > 0)));

    private static string NameOf(PropertyInfo property) =>
        property.GetCustomAttribute<ConfigurationKeyNameAttribute>()?.Name ?? property.Name;

    private static Type? DictionaryValue(Type type) => Argument(type, typeof(IReadOnlyDictionary<,>))
        ?? Argument(type, typeof(IDictionary<,>));

    private static Type? ListItem(Type type) => Argument(type, typeof(IEnumerable<>));

    /// <summary>The last type argument of a generic interface that a type is or implements.</summary>
    private static Type? Argument(Type type, Type generic) => type.GetInterfaces().Append(type)
        .FirstOrDefault(one => one.IsGenericType && one.GetGenericTypeDefinition() == generic)?
        .GenericTypeArguments[^1];
}
